"""The draw of the parts: exact fractions, whole groups, and the grouping of duplicates."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from adcat.data.duplicates import (
    NO_KEY,
    duplicate_groups,
    find_duplicates,
    is_repeated,
    links_of,
    placeholders,
)
from adcat.data.splitting import (
    TEST,
    TRAIN,
    VALIDATION,
    class_counts,
    cut,
    draw_parts,
    hashed_numbers,
    hashed_parts,
    is_rare,
)
from adcat.errors import BadInputError

ALL = slice(None)
NOTHING_SIMILAR = np.zeros((2, 0), int)


def draw(groups, strata=None, test=0.2, validation=0.1, seed=0):
    groups = np.asarray(groups)
    strata = np.zeros_like(groups) if strata is None else np.asarray(strata)
    return draw_parts(groups, strata, test, validation, seed)


def sizes(parts):
    return [int((parts == part).sum()) for part in (TRAIN, VALIDATION, TEST)]


def test_ten_ads():
    assert sizes(draw(range(10))) == [7, 1, 2]


def test_the_thesis_sizes():
    # 20 % of the ads, then 10 % of the rest; the thesis drew per ad (179 201 and 71 418)
    assert sizes(draw(range(896_806))) == [645_701, 71_744, 179_361]


@given(
    n=st.integers(1, 300),
    test=st.floats(0.05, 0.9),
    validation=st.floats(0.05, 0.9),
    seed=st.integers(0, 9),
)
def test_without_groups_the_sizes_are_exact(n, test, validation, seed):
    in_test = round(test * n)
    in_validation = round(validation * (n - in_test))
    expected = [n - in_test - in_validation, in_validation, in_test]
    if 0 in expected:
        with pytest.raises(BadInputError, match="part would have no ad"):
            draw(range(n), test=test, validation=validation, seed=seed)
    else:
        assert sizes(draw(range(n), test=test, validation=validation, seed=seed)) == expected


grouped = st.lists(st.integers(1, 12), min_size=8, max_size=40)  # sizes of groups


@given(group_sizes=grouped, seed=st.integers(0, 9))
def test_groups_stay_whole_and_no_group_would_bring_a_part_nearer(group_sizes, seed):
    groups = np.repeat(np.arange(len(group_sizes)), group_sizes)
    groups = np.random.default_rng(seed).permutation(groups)
    try:
        parts = draw(groups, seed=seed)
    except BadInputError:
        assume(False)
    for group in range(len(group_sizes)):
        assert len(set(parts[groups == group])) == 1
    in_test = round(0.2 * len(groups))
    wanted = {TEST: in_test, VALIDATION: round(0.1 * (len(groups) - in_test))}
    left = [size for g, size in enumerate(group_sizes) if parts[groups == g][0] == TRAIN]
    for part, size in wanted.items():
        missing = size - (parts == part).sum()
        assert all(abs(missing - other) >= abs(missing) for other in left)


def test_the_seed_decides():
    first = draw(range(100))
    np.testing.assert_array_equal(first, draw(range(100)))
    assert (first != draw(range(100), seed=1)).any()


def test_names_of_groups_do_not_matter():
    groups = np.repeat(np.arange(20), 3)
    np.testing.assert_array_equal(draw(groups), draw(groups * 7 + 5))


def test_every_ad_is_as_likely_to_be_in_a_part():
    draws = np.stack([draw(range(20), seed=seed) for seed in range(2000)])  # [draws, ads]
    for part, share in ((TEST, 0.2), (VALIDATION, 0.1)):
        # test: 4 of 20; validation: round(1.6) = 2 of 20; six standard errors
        np.testing.assert_allclose((draws == part).mean(axis=0), share, atol=0.055)


def test_a_large_group_is_not_more_likely_to_be_in_training():
    groups = np.concatenate([np.zeros(20, int), np.arange(1, 181)])
    in_test = np.mean([draw(groups, seed=seed)[0] == TEST for seed in range(1000)])
    assert 0.05 < in_test < 0.25  # its share of the ads in the test part is 0.2


def test_a_group_that_fits_nowhere_is_training():
    parts = draw([0] * 60 + list(range(1, 41)))
    assert set(parts[:60]) == {TRAIN}
    assert sizes(parts) == [72, 8, 20]


def test_groups_larger_than_a_part_come_as_near_as_they_can():
    parts = draw(np.repeat(np.arange(10), 3))  # wanted: 6 for testing, then 2
    assert sizes(parts) == [21, 3, 6]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (range(4), "the validation part would have no ad: 4 ads, in 4 groups of duplicates"),
        ([0] * 9, "the validation part would have no ad: 9 ads, in 1 groups of duplicates"),
        (range(1), "the validation part would have no ad"),
    ],
)
def test_an_empty_part_is_an_error(groups, message):
    with pytest.raises(BadInputError, match=message):
        draw(groups)


# By hash


def hashed(groups, founders, numbers):
    """With 0.25 of the ads for testing, then 0.4 of the others: below 0.55."""
    return hashed_parts(np.array(groups), np.array(founders), np.array(numbers), 0.25, 0.4).tolist()


def test_numbers_decide_by_hand():
    each, alone = np.arange(4), np.full(4, True)
    assert hashed(each, alone, [0.249, 0.25, 0.549, 0.55]) == [TEST, VALIDATION, VALIDATION, TRAIN]
    # a duplicate that came later has no say; where it joins two ads the lower number has
    assert hashed([0, 0, 2, 2], [True, False, True, False], [0.9, 0.1, 0.3, 0.1]) == [
        *(TRAIN, TRAIN, VALIDATION, VALIDATION),
    ]
    assert hashed([0, 0, 0], [True, True, False], [0.9, 0.1, 0.6]) == [TEST] * 3
    assert hashed([0, 0, 0], [True, True, False], [0.9, 0.3, 0.1]) == [VALIDATION] * 3


def test_numbers_are_those_of_names_and_seed_on_any_machine():
    first = hashed_numbers(["a", "b", "å"], 0)
    np.testing.assert_array_equal(first, hashed_numbers(["å", "a", "b"], 0)[[1, 2, 0]])
    assert (first != hashed_numbers(["a", "b", "å"], 1)).all()
    assert first[0] == 0.6170009362330673  # of SHA-256


def test_hashed_parts_have_about_the_sizes_asked_for_in_every_category():
    numbers = hashed_numbers(map(str, range(20_000)), 0)
    parts = hashed_parts(np.arange(20_000), np.full(20_000, True), numbers, 0.2, 0.1)
    for category in range(4):
        own = parts[category::4]  # of 5,000; three standard errors
        np.testing.assert_allclose(sizes(own), [3600, 400, 1000], atol=90)
    hundreds = [sizes(own) for own in parts.reshape(200, 100)]
    np.testing.assert_allclose(np.std(hundreds, axis=0), [4.5, 2.7, 4], atol=0.5)


texts_and_photos = st.lists(st.tuples(st.integers(NO_KEY, 30), st.integers(NO_KEY, 30)), min_size=2)


@given(rows=texts_and_photos, before=st.integers(1, 40), seed=st.integers(0, 9))
def test_a_table_that_grows_keeps_its_parts(rows, before, seed):
    """Only what a new ad joins moves: to the test part if anything of it was there."""
    text, photo = np.array(rows).T
    similar = np.array([[0, 2, 5], [1, 3, 6]])

    def parts_of(ads):
        among = np.full(ads, True)
        found = find_duplicates(
            np.append(text[:ads], NO_KEY), np.append(photo[:ads], 30), similar,
            np.arange(ads + 1), np.append(among, False),
        )  # fmt: skip
        numbers = hashed_numbers(map(str, range(ads + 1)), seed)
        parts = hashed_parts(found.groups, found.founders, numbers, 0.4, 0.4)
        return parts[:ads], found.groups[:ads]

    old, groups = parts_of(min(before, len(rows)))
    new, joined = parts_of(len(rows))
    new, joined = new[: len(old)], joined[: len(old)]
    for group in np.unique(joined):
        of = joined == group
        if len(np.unique(groups[of])) == 1:  # nothing old was joined
            np.testing.assert_array_equal(new[of], old[of])
        else:
            assert set(new[of]) == {TEST if TEST in old[of] else max(old[of])}


# Stratified

labelled = st.lists(st.integers(0, 5), min_size=40, max_size=200)


@given(labels=labelled, seed=st.integers(0, 9))
def test_stratified_fractions_hold_within_every_category(labels, seed):
    labels = np.array(labels)
    parts = draw(range(len(labels)), labels, seed=seed)
    in_test = round(0.2 * len(labels))
    in_validation = round(0.1 * (len(labels) - in_test))
    assert sizes(parts) == [len(labels) - in_test - in_validation, in_validation, in_test]
    for label in np.unique(labels):
        own = parts[labels == label]
        assert abs((own == TEST).sum() - 0.2 * len(own)) < 1
        assert abs((own == VALIDATION).sum() - 0.1 * (own != TEST).sum()) < 1


def test_stratified_counts_are_those_of_scikit_learn():
    labels = np.repeat(np.arange(6), [100, 50, 30, 20, 10, 10])
    parts = draw(range(len(labels)), labels)
    shuffle = StratifiedShuffleSplit(n_splits=1, test_size=0.2, random_state=0)
    _, theirs = next(shuffle.split(labels, labels))
    np.testing.assert_array_equal(np.bincount(labels[parts == TEST]), np.bincount(labels[theirs]))


def test_stratified_draws_without_categories_are_plain_ones():
    one, several = np.full(50, 3), np.zeros(50, int)
    np.testing.assert_array_equal(draw(range(50), one), draw(range(50), several))


def test_stratified_groups_stay_whole():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 200, 500)
    parts = draw(groups, generator.integers(0, 4, 500))
    assert all(len(set(parts[groups == group])) == 1 for group in np.unique(groups))
    np.testing.assert_allclose(sizes(parts), [360, 40, 100], atol=3)


# Duplicates


def groups_of(among, *keys):
    links = np.concatenate([links_of(kind, among) for kind in keys], axis=1)
    return duplicate_groups(links, among)


def test_duplicates_by_hand():
    #              text  photo
    # ad 0            0      0
    # ad 1            1      0   the photo of ad 0
    # ad 2            1      1   the text of ad 1, hence in the group of ad 0
    # ad 3            2   none
    # ad 4            2      2   the text of ad 3
    # row 5           0      0   rejected
    # ad 6         none   none
    text, image = np.array([0, 1, 1, 2, 2, 0, NO_KEY]), np.array([0, 0, 1, NO_KEY, 2, 0, NO_KEY])
    among = np.array([True, True, True, True, True, False, True])
    assert groups_of(among, text, image).tolist() == [0, 0, 0, 3, 3, -1, 6]


def test_a_rejected_row_joins_nothing():
    text, image = np.array([0, 0, 1]), np.array([0, 1, 1])
    among = np.array([True, False, True])
    assert groups_of(among, text, image).tolist() == [0, -1, 2]


keys = st.lists(
    st.tuples(st.integers(NO_KEY, 8), st.integers(NO_KEY, 8), st.booleans()), min_size=1
)


@given(rows=keys)
def test_groups_are_those_of_a_slow_search(rows):
    columns = np.array(rows)
    text, image, among = columns[:, 0], columns[:, 1], columns[:, 2].astype(bool)
    groups = groups_of(among, text, image)
    for start in np.flatnonzero(among):
        reached, waiting = {start}, [start]
        while waiting:
            i = waiting.pop()
            for j in np.flatnonzero(among):
                shares = any(key[i] == key[j] != NO_KEY for key in (text, image))
                if shares and j not in reached:
                    reached.add(j)
                    waiting.append(j)
        assert set(np.flatnonzero(groups == groups[start])) == reached
    assert (groups[~among] == -1).all()


def test_placeholders_by_hand():
    #         ads of category 0, 1, 2 (of 60 each) with the key
    with_key = {
        0: (12, 0, 0),  # a fifth of a category's ads: copies of one ad
        1: (13, 0, 0),  # more
        2: (4, 4, 3),  # in three categories
        3: (4, 3, 3),  # in three, but ten ads only
        4: (6, 6, 0),
    }
    pairs = [(k, c) for k, ads in with_key.items() for c, n in enumerate(ads) for _ in range(n)]
    rest = [(NO_KEY, c) for c in range(3) for _ in range(60 - sum(p[1] == c for p in pairs))]
    keys, categories = np.array(pairs + rest).T
    assert placeholders(keys, categories, np.full(180, True)).tolist() == [1, 2]
    # without ten ads that have none, key 0 has more than a fifth
    among = np.arange(180) < 179
    among[np.flatnonzero((keys == NO_KEY) & (categories == 0))[:10]] = False
    assert placeholders(keys, categories, among).tolist() == [0, 1, 2]
    found = find_duplicates(keys, np.full(180, NO_KEY), NOTHING_SIMILAR, categories, among)
    assert found.placeholders == 3
    assert found.repeated.sum() == 9 + 11  # of keys 3 and 4
    assert found.contradicting.sum() == 10 + 12
    nothing = np.full(180, False)
    assert placeholders(keys, categories, nothing).tolist() == []


def test_similar_photos_by_hand():
    # ad 0 and 2 have photo 1; 5 has none; photos 1 and 0, 0 and 3, 2 and 4 are similar, but the ad
    # with photo 4 is rejected
    photo = np.array([1, 0, 1, 3, 2, NO_KEY, 4])
    similar, categories = np.array([[0, 0, 2], [1, 3, 4]]), np.array([0, 0, 0, 1, 1, 1, 0])
    among = np.array([True] * 6 + [False])
    found = find_duplicates(np.arange(7), photo, similar, categories, among)
    assert found.groups.tolist() == [0, 0, 0, 0, 4, 5, NO_KEY]
    assert found.contradicting.tolist() == [True] * 4 + [False] * 3
    assert found.similar == 5


def test_a_picture_that_too_many_photos_show_is_a_placeholder():
    photo, among = np.arange(20), np.full(20, True)  # 11 of 20 show the same
    similar = np.stack([np.arange(10), np.arange(1, 11)])
    found = find_duplicates(np.arange(20), photo, similar, np.zeros(20, int), among)
    assert found.groups.tolist() == list(range(20))
    assert found.placeholders == 1


@given(rows=st.lists(st.tuples(st.integers(NO_KEY, 5), st.booleans()), min_size=1))
def test_repeated_and_rare_are_those_of_a_loop(rows):
    codes, among = np.array([code for code, _ in rows]), np.array([yes for _, yes in rows])
    seen: list[int] = []
    repeated = []
    for code, yes in rows:
        repeated.append(yes and code in seen)
        seen += [code] * yes
    np.testing.assert_array_equal(is_repeated(codes, among), repeated)
    kept = among & (codes != NO_KEY)
    pairs = zip(codes, kept, strict=True)
    rare = [bool(yes) and list(codes[kept]).count(code) < 3 for code, yes in pairs]
    np.testing.assert_array_equal(is_rare(codes, kept, 3), rare)


# Cuts


def test_a_cut_by_hand():
    groups = np.array([7, 3, 7, 9, 3, 7])
    order = np.random.default_rng(5).permutation(3).tolist()
    assert order == [1, 2, 0]  # hence 7, 9, 3: three ads, one, two
    for ads, first in ((1, []), (2, [0, 2, 5]), (4, [0, 2, 3, 5]), (5, [0, 1, 2, 3, 4, 5])):
        assert [rows.tolist() for rows in cut(groups, ads, 5)] == [
            first, [row for row in range(6) if row not in first]
        ]  # fmt: skip


@given(group_sizes=grouped, share=st.floats(0, 1), seed=st.integers(0, 9))
def test_a_cut_keeps_groups_whole_and_comes_as_near_as_they_allow(group_sizes, share, seed):
    groups = np.random.default_rng(seed).permutation(
        np.repeat(range(len(group_sizes)), group_sizes)
    )
    ads = round(share * len(groups))
    first, second = cut(groups, ads, seed)
    np.testing.assert_array_equal(np.sort([*first, *second]), np.arange(len(groups)))
    assert not set(groups[first]) & set(groups[second])
    assert abs(len(first) - ads) <= max(group_sizes) / 2
    assert len(first) or share < 0.5


# Counts


def test_class_counts_by_hand():
    labels = np.array([0, 1, 1, 2, 2, 1])
    parts = np.array([TRAIN, TRAIN, VALIDATION, TEST, TEST, TEST])
    table = class_counts(labels, parts, ["Bilar", "Möbler", "Soffor", "Tåg"])
    assert [column.heading for column in table.columns] == [
        *("rank", "category", "total", "percent", "train", "validation", "test")
    ]
    assert list(table.rows) == [
        (1, "Möbler", 3, 50.0, 1, 1, 1),
        (2, "Soffor", 2, 33.333, 0, 0, 2),
        (3, "Bilar", 1, 16.667, 1, 0, 0),
        (4, "Tåg", 0, 0.0, 0, 0, 0),
    ]
