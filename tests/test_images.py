"""Decoding: every format comes out as people see it; crops by hand; reading ahead keeps order."""

import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from adcat.data.images import central_crop, open_image
from adcat.data.thread_map import THREADS, map_ahead
from adcat.errors import BadInputError
from adcat.image.classifier import ImageModel
from adcat.image.labelled_images import LabelledImages, central_images

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def save(tmp_path, image, name, **how):
    path = tmp_path / name
    image.save(path, **how)
    return path


def pixels(path):
    return np.asarray(open_image(path)).tolist()


def test_transparent_parts_are_white_whatever_lies_under_them(tmp_path):
    image = Image.new("RGBA", (3, 1))
    image.putdata([(255, 0, 0, 255), (0, 0, 0, 0), (0, 255, 0, 255)])
    assert pixels(save(tmp_path, image, "a.png")) == [[list(RED), list(WHITE), list(GREEN)]]


def test_a_palette_s_transparent_colour_is_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putdata([0, 1])
    path = save(tmp_path, image, "a.png", transparency=0)
    assert pixels(path) == [[list(WHITE), list(GREEN)]]


def test_half_transparent_gray_is_half_white(tmp_path):
    path = save(tmp_path, Image.new("LA", (1, 1), (0, 128)), "a.png")
    assert pixels(path) == [[[127] * 3]]


@pytest.mark.parametrize(("value", "seen"), [(0, 0), (65535, 255), (32896, 128)])
def test_gray_with_16_bit_is_scaled(tmp_path, value, seen):
    gray = Image.fromarray(np.full((1, 1), value, np.uint16))
    for name in ("a.png", "a.tiff"):
        assert pixels(save(tmp_path, gray, name)) == [[[seen] * 3]]


def test_cmyk_becomes_rgb(tmp_path):
    path = save(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "a.jpg", quality=100)
    assert abs(np.asarray(open_image(path), int) - RED).max() <= 3


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (2, 2), colour) for colour in (RED, GREEN)]
    path = save(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert pixels(path) == [[list(RED)] * 2] * 2


def test_a_photo_is_turned_as_its_camera_was_held(tmp_path):
    upright = Image.new("RGB", (2, 1))
    upright.putdata([RED, GREEN])
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned to the left
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    path = save(tmp_path, stored, "a.png", exif=exif)
    assert pixels(path) == [[list(RED), list(GREEN)]]


def test_metadata_that_cannot_be_written_again_is_read(tmp_path):
    entries = [(0x0112, 3, 1, 6), (0x9204, 8, 1, -1)]  # turned; an exposure of a signed type
    ifd = b"".join(struct.pack("<HHIi", *entry) for entry in entries)
    exif = b"Exif\0\0" + struct.pack("<2sHIH", b"II", 42, 8, 2) + ifd + bytes(4)
    path = save(tmp_path, Image.new("RGB", (3, 2), RED), "a.jpg", exif=exif)
    assert open_image(path).size == (2, 3)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_long_comment_does_not_spoil_a_photo(tmp_path, zipped):
    comments = PngImagePlugin.PngInfo()
    comments.add_text("parameters", "a" * 2_000_000, zip=zipped)
    comments.add_itxt("XML:com.adobe.xmp", "a" * 2_000_000, zip=zipped)
    path = save(tmp_path, Image.new("RGB", (2, 2), RED), "a.png", pnginfo=comments)
    assert open_image(path).size == (2, 2)


def test_damaged_metadata_does_not_spoil_a_photo(tmp_path):
    path = save(
        tmp_path, Image.new("RGB", (2, 2), RED), "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x09"
    )
    assert open_image(path).size == (2, 2)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is not a readable photo"),
        (b"no picture", "is not a readable photo"),
        (None, "is missing"),
    ],
)
def test_what_is_no_photo_is_named(tmp_path, content, found):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match=f"a.jpg {found}"):
        open_image(path)


def test_half_a_photo_is_no_photo(tmp_path):
    path = save(tmp_path, noise(64, 64), "a.jpg")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(BadInputError, match="truncated"):
        open_image(path)


def noise(width, height):
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(256, size=(height, width, 3), dtype=np.uint8))


def test_a_large_photo_is_decoded_smaller_and_looks_the_same(tmp_path):
    large = noise(20, 15).resize((1600, 1200), Image.Resampling.BICUBIC)
    path = save(tmp_path, large, "a.jpg", quality=95)
    assert open_image(path, 100).size == (400, 300)  # not below 2 × 100
    exact = np.asarray(open_image(path).resize((50, 50), Image.Resampling.BILINEAR), int)
    fast = np.asarray(open_image(path, 100).resize((50, 50), Image.Resampling.BILINEAR), int)
    assert abs(exact - fast).mean() < 2


def test_the_central_view_leaves_the_border_out_and_keeps_the_pixels(tmp_path):
    image = noise(6, 6)
    view = central_crop(save(tmp_path, image, "a.png"), side=4, fraction=4 / 6)
    expected = np.asarray(image, np.float64)[1:5, 1:5] / 127.5 - 1
    assert view.dtype == np.float32
    np.testing.assert_allclose(view, expected, atol=1e-6)


def test_the_central_view_of_a_wide_photo_is_squeezed_not_cut(tmp_path):
    image = Image.new("RGB", (16, 8), RED)
    image.paste(GREEN, (8, 0, 16, 8))
    view = central_crop(save(tmp_path, image, "a.png"), side=4, fraction=0.5)
    assert (view[:, 0] == [1, -1, -1]).all()
    assert (view[:, 3] == [-1, 1, -1]).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (7, 7), (3, 2)])
def test_tiny_photos_are_read(tmp_path, size):
    view = central_crop(save(tmp_path, Image.new("RGB", size, RED), "a.png"), 75, 0.875)
    assert view.shape == (75, 75, 3)
    assert (view == [1, -1, -1]).all()


def test_batches_come_in_order(tmp_path):
    paths = [save(tmp_path, Image.new("RGB", (2, 2), (i, 0, 0)), f"{i}.png") for i in range(20)]
    examples = central_images(
        LabelledImages(paths, np.zeros(20, np.int64)), ImageModel(None, None, 2, 1)
    )
    batches = [batch for (batch,) in examples.stream(np.split(np.arange(20), [8, 16]), 0)]
    assert [len(batch) for batch in batches] == [8, 8, 4]
    reds = (np.concatenate(batches)[:, 0, 0, 0] + 1) * 127.5
    np.testing.assert_allclose(reds, range(20), atol=1e-4)


@given(st.lists(st.integers()))
def test_working_ahead_changes_nothing(numbers):
    assert list(map_ahead(lambda x: x * x, numbers)) == [x * x for x in numbers]


def test_threads_work_ahead_but_not_far():
    asked = []

    def items():
        for i in range(1000):
            asked.append(i)
            yield i

    results = map_ahead(lambda i: i, items())
    assert next(results) == 0
    assert len(asked) == THREADS + 1
    results.close()
    assert len(asked) == THREADS + 1


def test_the_work_is_shared_by_threads():
    together = threading.Barrier(2)  # is passed only by two at a time
    assert list(map_ahead(lambda _: together.wait(timeout=60) >= 0, range(2))) == [True, True]


def test_an_error_reaches_the_reader():
    with pytest.raises(ZeroDivisionError):
        list(map_ahead(lambda x: 1 / x, [1, 0, 1]))
