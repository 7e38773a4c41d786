"""The check of image files: each hostile one gets its reason, each sound one its digest."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from adcat.errors import BadInputError
from adcat.image.decoding import open_photo
from adcat.image.verification import verify_images
from adcat.progress import Silent
from adcat.rejections import Reason


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    photo(8, 6).save(tmp_path / "images/a.jpg")
    return tmp_path / "images"


def photo(width, height, mode="RGB"):
    pixels = np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def check(folder, *images, how="full"):
    return verify_images(folder, images, how, Silent())


def reason(folder, image, how="full"):
    return check(folder, image, how=how)[0].reason


def test_a_sound_photo_has_the_digest_of_its_bytes(folder):
    (folder / "copy.png").write_bytes((folder / "a.jpg").read_bytes())
    photo(9, 6).save(folder / "b.jpg")
    first, copy, other = check(folder, "a.jpg", "copy.png", "b.jpg")
    assert first.reason is None
    assert first == copy
    assert len(first.digest) == 32
    assert first.digest != other.digest


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("a.png", lambda path: photo(8, 6).save(path)),
        ("png.jpg", lambda path: photo(8, 6).save(path, "PNG")),
        ("cmyk.jpg", lambda path: photo(8, 6, "CMYK").save(path)),
        ("gray.jpg", lambda path: photo(8, 6, "L").save(path)),
        ("palette.png", lambda path: photo(8, 6, "P").save(path, transparency=b"\0\x80")),
        ("alpha.png", lambda path: photo(8, 6, "RGBA").save(path)),
        ("bits.png", lambda path: Image.fromarray(np.full((6, 8), 40000, np.uint16)).save(path)),
        ("a.webp", lambda path: photo(8, 6).save(path)),
        ("a.gif", lambda path: photo(8, 6).save(path, save_all=True, append_images=[photo(8, 6)])),
        ("dot.png", lambda path: photo(1, 1).save(path)),
        ("line.png", lambda path: photo(20_000, 1).save(path)),
        ("exif.jpg", lambda path: photo(8, 6).save(path, exif=b"Exif\0\0damaged")),
    ],
)
def test_what_pillow_decodes_is_fine(folder, name, save):
    save(folder / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reason(folder, name) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jpg", b""),
        ("text.jpg", b"not a photo at all"),
        ("page.jpg", b"<html><body>404</body></html>"),
        ("magic.png", b"\x89PNG\r\n\x1a\n"),
        ("magic.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100),
    ],
)
@pytest.mark.parametrize("how", ["full", "header"])
def test_what_pillow_does_not_open_is_unreadable(folder, name, content, how):
    (folder / name).write_bytes(content)
    assert reason(folder, name, how) == Reason.IMAGE_UNREADABLE


def test_only_the_full_check_finds_a_cut_off_photo(folder):
    photo(200, 200).save(folder / "whole.jpg")
    content = (folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    assert reason(folder, "cut.jpg") == Reason.IMAGE_UNREADABLE
    assert reason(folder, "cut.jpg", "header") is None
    assert reason(folder, "cut.jpg", "none") is None


@pytest.mark.parametrize("side", [10_000, 14_000])  # Pillow warns of one, refuses the other
@pytest.mark.parametrize("how", ["full", "header"])
def test_a_decompression_bomb_is_unreadable(folder, side, how):
    Image.new("1", (side, side)).save(folder / "bomb.png")
    assert reason(folder, "bomb.png", how) == Reason.IMAGE_UNREADABLE


@pytest.mark.parametrize("how", ["full", "header", "none"])
def test_files_that_are_none(folder, how):
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    missing = ["nowhere.jpg", "dangling.jpg", "loop.jpg", "a\0b.jpg", "a" * 5000, "a.jpg/b.jpg"]
    assert [v.reason for v in check(folder, *missing, how=how)] == [Reason.IMAGE_MISSING] * 6
    special = check(folder, "folder.jpg", "pipe.jpg", ".", how=how)
    assert [v.reason for v in special] == [Reason.IMAGE_UNREADABLE] * 3


@pytest.mark.parametrize("how", ["full", "none"])
def test_nothing_outside_the_folder_is_touched(folder, tmp_path, how):
    photo(8, 6).save(tmp_path / "outside.jpg")
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "up").symlink_to(tmp_path)
    names = [
        *("../outside.jpg", "link.jpg", "up/outside.jpg", "../nowhere.jpg", "/dev/zero"),
        *(str(folder / "a.jpg"), "x/../../outside.jpg", "../images2/a.jpg"),
    ]
    found = [verdict.reason for verdict in check(folder, *names, how=how)]
    assert found == [Reason.IMAGE_OUTSIDE] * len(names)


def test_ways_that_stay_inside_are_fine(folder):
    (folder / "below").mkdir()
    (folder / "link.jpg").symlink_to("a.jpg")
    assert [v.reason for v in check(folder, "below/../a.jpg", "./a.jpg", "link.jpg")] == [None] * 3
    linked = folder.parent / "linked"
    linked.symlink_to(folder)
    assert reason(linked, "a.jpg") is None


@pytest.mark.parametrize(
    "image",
    ["https://example.org/a.jpg", "HTTP://x/a.jpg", "file:///a.jpg", "data:image/png;base64,"],
)
def test_an_address_is_no_file(folder, image):
    assert reason(folder, image) == Reason.IMAGE_IS_URL


def test_without_a_check_nothing_is_read(folder):
    (folder / "broken.jpg").write_bytes(b"")
    assert [v.reason for v in check(folder, "a.jpg", "broken.jpg", how="none")] == [None, None]
    assert check(folder, "a.jpg", how="none")[0].digest is None


def test_verdicts_stand_in_the_order_of_the_images(folder):
    names = [f"{i}.jpg" for i in range(300)]
    for name in names[::3]:
        photo(8, 6).save(folder / name)
    found = [verdict.reason for verdict in check(folder, *names)]
    assert found == [None, Reason.IMAGE_MISSING, Reason.IMAGE_MISSING] * 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5))
@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp"])
def test_a_damaged_file_is_fine_or_unreadable(folder, suffix, changes):
    path = folder / f"b.{suffix}"
    photo(8, 6).save(path)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    path.write_bytes(content)
    assert reason(folder, path.name) in (None, Reason.IMAGE_UNREADABLE)
    assert Path(path).read_bytes() == content


@pytest.mark.parametrize("name", ["a.eps", "a.jpg"])
@pytest.mark.parametrize("how", ["full", "header"])
def test_a_format_that_starts_other_programs_is_not_even_tried(folder, name, how):
    photo(8, 6).save(folder / name, "EPS")
    assert reason(folder, name, how) == Reason.IMAGE_UNREADABLE
    with pytest.raises(BadInputError, match="no readable photo"):
        open_photo(folder / name)


def test_a_bomb_is_not_decoded_when_training_or_predicting_either(folder):
    side = int(Image.MAX_IMAGE_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(folder / "bomb.png")
    with pytest.raises(BadInputError, match=f"{side} x {side} pixels are too many"):
        open_photo(folder / "bomb.png")
