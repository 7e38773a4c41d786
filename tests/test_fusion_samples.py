import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.fusion import samples
from adcat.fusion.samples import Sample, statistics


def numbered(ads, rows=None):
    """A sample whose input and label tell the ad's number."""
    numbers = np.arange(ads)
    inputs = [numbers[:, None].astype(np.float32), np.ones((ads, 2), np.float32) * numbers[:, None]]
    everything = numbers if rows is None else np.array(rows)
    return Sample(inputs, numbers, numbers.astype(np.float32), everything, numbers)


@given(st.integers(1, 3000), st.integers(1, 200), st.integers(0, 5), st.integers(1, 9))
def test_an_epoch_shows_every_ad_once_in_whole_batches(ads, batch, seed, pool_kilobytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "POOL_BYTES", pool_kilobytes * 1024)
        orders = list(numbered(ads).shuffled(batch, np.random.default_rng(seed)))
    seen = np.concatenate([order.ravel() for order in orders])
    np.testing.assert_array_equal(np.sort(seen), np.arange(ads))
    left = [(1, ads % batch)] if ads % batch else []
    assert [order.shape for order in orders if order.shape[1] != batch] == left
    assert sum(len(order) for order in orders) == -(-ads // batch)


def test_a_pool_holds_its_ads_in_the_order_asked_for():
    rows = np.array([[7, 2, 9], [0, 5, 1]])
    inputs, labels, weights = numbered(10).pool(rows)
    np.testing.assert_array_equal(inputs[0][..., 0], rows)
    np.testing.assert_array_equal(inputs[1], np.stack([rows, rows], axis=-1))
    np.testing.assert_array_equal(labels, rows)
    np.testing.assert_array_equal(weights, rows)


def test_batches_mix_ads_from_everywhere(monkeypatch):
    monkeypatch.setattr(samples, "POOL_BYTES", 3 * 4 * 256 * 64)  # 64 runs of 100,000 ads
    batches = next(numbered(100_000).shuffled(100, np.random.default_rng(0)))
    first = batches.ravel()
    spread = batches.std(axis=1) / np.arange(100_000).std()
    assert spread.min() > 0.7
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.05


def test_the_order_follows_from_the_seed():
    orders = [next(numbered(500).shuffled(16, np.random.default_rng(seed))) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()


@given(st.integers(2, 400), st.floats(0.01, 0.99), st.integers(0, 5))
def test_a_cut_in_two_loses_nothing(ads, share, seed):
    first, second = numbered(ads).split(share, seed)
    assert len(first) == round(share * ads)
    np.testing.assert_array_equal(np.sort([*first.rows, *second.rows]), np.arange(ads))


def test_only_the_ads_of_the_sample_are_read():
    part = numbered(1000, rows=[3, 5, 700])
    assert [labels.tolist() for _, labels, _ in part.blocks(2)] == [[3, 5], [700]]
    orders = part.shuffled(2, np.random.default_rng(0))
    assert sorted(np.concatenate([order.ravel() for order in orders])) == [3, 5, 700]


def test_statistics_against_numpy():
    array = np.random.default_rng(0).normal(5, 3, (10_000, 4)).astype(np.float32)
    rows = np.arange(0, 10_000, 3)
    sample = Sample(
        [array], np.zeros(10_000, int), np.ones(10_000, np.float32), rows, np.arange(10_000)
    )
    ((mean, variance),) = statistics(sample)
    np.testing.assert_allclose(mean, array[rows].mean(axis=0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(variance, array[rows].var(axis=0, dtype=float), rtol=1e-5)
