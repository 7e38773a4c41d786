"""Augmentation: TensorFlow's crop laws, saturation against colorsys, repeatable views."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from adcat.image.augmentation import augmented_crop, random_crop, with_saturation

SIDES = st.integers(1, 3000)
SEEDS = st.integers(0, 2**32)


@given(SIDES, SIDES, SEEDS, st.sampled_from((0.1, 0.5, 1)))
def test_a_crop_keeps_to_area_and_aspect_or_is_the_whole_photo(width, height, seed, area):
    box = random_crop(width, height, np.random.default_rng(seed), area)
    left, top, right, bottom = box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    if box != (0, 0, width, height):
        assert area - 1e-9 <= (right - left) * (bottom - top) / (width * height) <= 1
        assert 0.75 - 1e-9 <= (right - left) / (bottom - top) <= 1.33 + 1e-9


@given(st.integers(20, 3000), SEEDS)
def test_a_photo_far_too_narrow_for_a_crop_is_taken_whole(height, seed):
    assert random_crop(1, height, np.random.default_rng(seed)) == (0, 0, 1, height)


def test_crops_reach_every_size_and_place():
    random = np.random.default_rng(0)
    boxes = np.array([random_crop(100, 100, random) for _ in range(5000)])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / 100**2
    assert areas.min() < 0.11
    assert areas.max() > 0.95
    assert boxes[:, :2].min() < 1
    assert boxes[:, 2:].max() > 99


def saturated_by_colorsys(pixels, factor):
    out = np.empty_like(pixels)
    for position in np.ndindex(pixels.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*pixels[position].tolist())
        out[position] = colorsys.hsv_to_rgb(h, min(1, s * factor), v)
    return out


@given(
    arrays(np.float32, (2, 3, 3), elements=st.floats(0, 1, width=32)),
    st.floats(0.5, 1.5),
)
def test_saturation_is_scaled_in_hsv(pixels, factor):
    found = with_saturation(pixels, factor)
    np.testing.assert_allclose(found, saturated_by_colorsys(pixels, factor), atol=1e-5)


def test_saturation_by_hand():
    pixels = np.array([[[0.8, 0.4, 0.6], [0.5, 0.5, 0.5], [1, 0, 0.5]]], np.float32)
    half = [[[0.8, 0.6, 0.7], [0.5, 0.5, 0.5], [1, 0.5, 0.75]]]
    most = [[[0.8, 0.2, 0.5], [0.5, 0.5, 0.5], [1, 0, 0.5]]]  # S = 0.5 · 1.5; 0; 1, clipped
    np.testing.assert_allclose(with_saturation(pixels, 0.5), half, atol=1e-6)
    np.testing.assert_allclose(with_saturation(pixels, 1.5), most, atol=1e-6)


@pytest.fixture
def gray(tmp_path):
    path = tmp_path / "gray.png"
    Image.new("RGB", (40, 30), (102, 102, 102)).save(path)
    return path


def test_brightness_moves_all_pixels_alike_within_its_limits(gray):
    views = [augmented_crop(gray, 8, (0, i)) for i in range(300)]
    assert all(np.ptp(view) < 1e-6 for view in views)  # gray has no saturation to change
    shifts = np.array([(view.mean() + 1) / 2 - 0.4 for view in views])
    assert -0.13 <= shifts.min() < -0.12
    assert 0.12 < shifts.max() <= 0.13


@pytest.mark.parametrize("value", [0, 255])
def test_a_view_stays_within_its_range(tmp_path, value):
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8), (value, 255 - value, value)).save(path)
    views = np.stack([augmented_crop(path, 8, (i,)) for i in range(50)])
    assert views.dtype == np.float32
    assert views.shape == (50, 8, 8, 3)
    assert views.min() >= -1
    assert views.max() <= 1


def test_half_of_the_views_are_mirrored(tmp_path):
    path = tmp_path / "a.png"
    ramp = np.tile(np.arange(0, 250, 10, dtype=np.uint8)[None, :, None], (25, 1, 3))
    Image.fromarray(ramp).save(path)
    views = (augmented_crop(path, 8, (i,)) for i in range(400))
    mirrored = sum(view[:, 0].mean() > view[:, -1].mean() for view in views)
    assert 160 < mirrored < 240


def test_a_view_is_a_function_of_its_seed(gray, tmp_path):
    path = tmp_path / "noise.png"
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(256, size=(30, 40, 3), dtype=np.uint8)).save(path)
    once, again = (augmented_crop(path, 8, (3, 1, 4)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert abs(once - augmented_crop(path, 8, (3, 2, 4))).max() > 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (7, 7)])
def test_tiny_photos_are_augmented(tmp_path, size):
    path = tmp_path / "a.png"
    Image.new("RGB", size, (255, 0, 0)).save(path)
    assert augmented_crop(path, 75, (0,)).shape == (75, 75, 3)
