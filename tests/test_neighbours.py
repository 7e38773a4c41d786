"""The nearest vectors by their cosine, in blocks, and what is counted of them."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from adcat.evaluation.neighbours import (
    BLOCK,
    Nearest,
    blocks,
    directions,
    nearest,
    share_alike,
    share_found,
)
from adcat.evaluation.significance import mean_interval


def vectors(*rows):
    return np.array(rows, np.float32)


def found(queries, candidates, k, own=None, size=BLOCK):
    """Finds them with so many candidates to a block."""
    starts = range(0, len(candidates), size)
    pieces = (directions(candidates[start : start + size]) for start in starts)
    own = np.full(len(queries), -1) if own is None else own
    return nearest(directions(queries), pieces, k, own)


def test_the_nearest_by_hand():
    candidates = vectors((0, 2), (3, 0), (5, 5), (-1, 0), (0, 0))
    cosines, positions = found(vectors((1, 0)), candidates, 5)
    np.testing.assert_allclose(cosines, [[1, 0.5**0.5, 0, 0, -1]], atol=1e-6)
    assert positions.tolist() == [[1, 2, 0, 4, 3]]  # what has no direction has the cosine 0


@pytest.mark.parametrize("size", [1, 2, 3, BLOCK])
def test_of_equal_ones_the_first_come_first(size):
    candidates = vectors((0, 1), (4, 0), (2, 0), (0, 3), (1, 0), (8, 0))
    _, positions = found(vectors((1, 0), (0, 1)), candidates, 3, size=size)
    assert positions.tolist() == [[1, 2, 4], [0, 3, 1]]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_an_ad_is_not_its_own_neighbour(size):
    ads = vectors((1, 0), (1, 0), (1, 1), (0, 1))
    _, positions = found(ads[1:3], ads, 3, np.array([1, 2]), size)
    assert positions.tolist() == [[0, 2, 3], [0, 1, 3]]


@pytest.mark.parametrize(("k", "size"), [(1, 7), (5, 64), (5, 1000), (40, 33), (499, 100)])
def test_blocks_find_what_the_whole_product_does(k, size):
    rng = np.random.default_rng(k)
    ads = rng.normal(size=(500, 6)).astype(np.float32)
    cosines, positions = found(ads, ads, k, np.arange(500), size)
    whole = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(ads)
    distances, _ = whole.kneighbors()  # of each but itself
    np.testing.assert_allclose(cosines, 1 - distances, atol=1e-5)
    exact = directions(ads.astype(np.float64))
    np.testing.assert_allclose(
        np.einsum("qd,qkd->qk", exact, exact[positions]), cosines, atol=1e-5
    )  # the positions are those that the cosines are of
    assert all(len({i, *row}) == k + 1 for i, row in enumerate(positions.tolist()))


def test_a_block_may_be_empty():
    (empty,) = (directions(np.zeros((0, 2), np.float32)[rows]) for rows in blocks(np.arange(0)))
    pieces = [empty, vectors((1, 0), (0, 1)), empty]
    _, positions = nearest(vectors((0, 1)), pieces, 2, np.array([-1]))
    assert positions.tolist() == [[1, 0]]


def test_blocks_have_every_row_once_and_nearly_the_same_size():
    rows = np.arange(2 * BLOCK + 1)
    cut = blocks(rows)
    assert [len(block) for block in cut] == [2731, 2731, 2731]
    np.testing.assert_array_equal(np.concatenate(cut), rows)


def test_a_vector_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        directions(vectors((1, 0), (np.nan, 1)))


def near(*positions):
    return Nearest(slice(1, 1 + len(positions)), np.ones((1, 1), np.float32), np.array(positions))


def test_the_share_of_the_same_category():
    categories, looked_at = np.array([0, 1, 1, 2]), np.array([9, 1, 2])
    shares = share_alike(categories, looked_at, near((1, 2, 3, 0), (1, 2, 0, 3)))
    assert shares.tolist() == [0.5, 0.25]


def test_the_share_of_the_known_duplicates_of_which_there_may_be_more_than_k():
    groups, looked_at = np.array([5, 7, 7, 7, 8]), np.array([0, 5, 7, 7, 6])
    own = np.array([-1, 0, 1, -1, -1])
    shares = share_found(groups, looked_at, own, near((1, 4), (2, 4), (2, 3), (0, 1)))
    np.testing.assert_array_equal(shares, [np.nan, 0.5, 1, np.nan])


def test_the_interval_of_a_mean():
    low, high = mean_interval(np.array([0.0, 1.0, 0.5, 0.5]))
    assert (low, high) == pytest.approx((0.5 - 0.6496, 0.5 + 0.6496), abs=1e-3)
    assert mean_interval(np.array([0.25])) == (0.25, 0.25)
