import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.types import availabilities_with, classifiers_of, have, read_by
from adcat.workspace.models import OrPrior

AVAILABILITIES = np.array(["both", "text", "image", "none"])


def test_kinds_by_what_they_have():
    assert availabilities_with(["text"]) == ["both", "text"]
    assert availabilities_with(["text", "image"]) == ["both"]
    assert availabilities_with([]) == AVAILABILITIES.tolist()
    assert have(AVAILABILITIES, ["image"]).tolist() == [True, False, True, False]


def test_the_modalities_behind_arrays():
    assert read_by(["image_vectors", "text_probs"]) == {"image", "text"}
    assert read_by(["text_probs", "text_vectors"]) == {"text"}
    assert read_by([]) == frozenset()


@pytest.fixture(scope="module")
def predictions():
    """Three ads, of which the second cannot be read."""
    probs = np.array([[0.1, 0.9], [np.nan, np.nan], [0.3, 0.7]], np.float32)
    return OrPrior(probs, np.array([False, True, False]), np.array([0.4, 0.6], np.float32))


EXPECTED = np.array([[0.1, 0.9], [0.4, 0.6], [0.3, 0.7]], np.float32)
index = st.one_of(
    st.integers(-3, 2),
    st.slices(3),
    st.lists(st.integers(0, 2)).map(lambda rows: np.array(rows, np.int64)),
    st.lists(st.booleans(), min_size=3, max_size=3).map(np.array),
)


@given(rows=index)
def test_an_ad_that_cannot_be_read_gets_the_prior_however_it_is_asked_for(predictions, rows):
    found = predictions[rows]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, EXPECTED[rows])


def test_it_is_used_as_an_array(predictions):
    assert (len(predictions), predictions.shape) == (3, (3, 2))
    np.testing.assert_array_equal(np.asarray(predictions), EXPECTED)
    assert np.asarray(predictions, np.float64).dtype == np.float64


def test_arrays_name_their_classifiers():
    assert classifiers_of(["image_probs", "text_probs@words", "text_vectors@words"]) == [
        "image",
        "words",
    ]
