import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix

from adcat.evaluation.confusion import most_confused, size_classes

predictions = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, n, elements=st.integers(0, 4)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 4)),
        hnp.arrays(np.float32, n, elements=st.floats(0, 1, width=16)),
    )
)


def test_confused_pairs_by_hand():
    labels = np.array([0, 2, 2, 1, 0, 1])
    predicted = np.array([2, 0, 0, 1, 1, 1])
    confidence = np.array([0.5, 0.6, 0.9, 1, 0.7, 1], np.float32)
    first, second = most_confused(labels, predicted, confidence, 5)
    assert (first.first, first.second, first.first_as_second, first.second_as_first) == (2, 0, 2, 1)
    assert first.rows.tolist() == [2, 1, 0]  # the surest mistake first
    assert (second.first, second.second, second.first_as_second) == (0, 1, 1)
    assert len(most_confused(labels, predicted, confidence, 1)) == 1
    assert most_confused(labels, labels, confidence, 5) == []


@given(predictions)
def test_pairs_are_those_of_the_confusion_matrix(case):
    labels, predicted, confidence = case
    matrix = confusion_matrix(labels, predicted, labels=range(5))
    pairs = most_confused(labels, predicted, confidence, 100)
    totals = [pair.first_as_second + pair.second_as_first for pair in pairs]
    assert totals == sorted(totals, reverse=True)
    assert sum(totals) == np.count_nonzero(labels != predicted)
    for pair in pairs:
        assert matrix[pair.first, pair.second] == pair.first_as_second >= pair.second_as_first
        assert matrix[pair.second, pair.first] == pair.second_as_first
        here = set(zip(labels[pair.rows], predicted[pair.rows], strict=True))
        assert here <= {(pair.first, pair.second), (pair.second, pair.first)}
        assert (np.diff(confidence[pair.rows]) <= 0).all()


def test_size_classes_by_hand():
    found = size_classes(np.array([0, 1, 2, 9, 10, 171_480]))
    assert [(one.low, one.high, one.categories.tolist()) for one in found] == [
        (0, 0, [0]),
        (1, 2, [1, 2]),
        (3, 9, [3]),
        (10, 29, [4]),
        (100_000, None, [5]),
    ]


@given(hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 10**6)))
def test_every_category_is_in_the_class_of_its_size(sizes):
    found = size_classes(sizes)
    together = np.concatenate([one.categories for one in found])
    assert sorted(together) == list(range(len(sizes)))
    for one in found:
        assert (sizes[one.categories] >= one.low).all()
        assert one.high is None or (sizes[one.categories] <= one.high).all()
