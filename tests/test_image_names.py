"""Names of photos: what is found whatever its spelling, what helps where it is not."""

import unicodedata

import pytest
from PIL import Image

from adcat.data.image_names import cause, locate, names_in
from adcat.data.image_verification import ImageVerification
from adcat.data.rejections import Reason
from adcat.progress import Silent

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "åäö.jpg") for form in ("NFC", "NFD"))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "photos"
    (root / "sub").mkdir(parents=True)
    for name in ("a.jpg", "my photo.jpg", "sub/b.jpg", DECOMPOSED):
        Image.new("RGB", (4, 4)).save(root / name)
    (tmp_path / "outside.jpg").write_bytes((root / "a.jpg").read_bytes())
    (root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    return root


def verified(root, *cells, separator="", check="full"):
    return ImageVerification(root, check, Silent(), separator).verify(cells)


@pytest.mark.parametrize("check", ["full", "header", "none"])
def test_other_forms_of_letters_and_absolute_paths_are_found(root, check):
    found = verified(root, COMPOSED, DECOMPOSED, str(root / "sub/b.jpg"), "a.jpg", check=check)
    assert [verdict.reason for verdict in found] == [None] * 4
    assert [verdict.name for verdict in found] == [DECOMPOSED, DECOMPOSED, "sub/b.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("photos/a.jpg", "there is {up}/photos/a.jpg; type: --images {up}"),
        ("sub\\b.jpg", "there is sub/b.jpg; write / for \\"),
        ("my%20photo.jpg", "there is my photo.jpg; decode what begins with %"),
        (
            "photos\\my%20photo.jpg",
            "there is {up}/photos/my photo.jpg; write / for \\ and decode what begins with %; "
            "type: --images {up}",
        ),
        ("A.JPG", "there is a.jpg; write the name as the file has it"),
        ("a.png", "there is a.jpg; write the name as the file has it"),
        ("sub/B", "there is sub/b.jpg; write the name as the file has it"),
        ("a.jpg|sub/b.jpg", "several names; type: --image-separator '|'"),
        ("gone.jpg; a.jpg", "several names; type: --image-separator ';'"),
        ("gone.jpg", ""),
        ("gone/a.jpg", ""),
        ("a\0b", ""),
        ("x" * 5000, ""),
    ],
)
def test_a_missing_name_is_told_what_helps(root, name, told):
    assert locate(root, name) == Reason.IMAGE_MISSING
    assert cause(root, name, Reason.IMAGE_MISSING) == told.format(up=root.parent)


def test_a_link_out_of_the_folder_is_told(root):
    (verdict,) = verified(root, "link.jpg")
    assert verdict.reason == Reason.IMAGE_OUTSIDE
    assert verdict.cause == f"a link to {root.parent / 'outside.jpg'}; copy the file itself"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC; convert it to JPEG"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<?xml version='1.0'?><svg/>", "SVG; convert it to PNG"),
        (b"%PDF-1.7", "PDF; convert it to JPEG"),
        (b"", "an empty file"),
    ],
)
def test_what_is_no_photo_is_told(root, content, told):
    (root / "other.jpg").write_bytes(content)
    (verdict,) = verified(root, "other.jpg")
    assert (verdict.reason, verdict.cause) == (Reason.IMAGE_UNREADABLE, told)


def test_a_photo_that_is_too_large_is_told_its_size(root):
    Image.new("1", (12_000, 9_000)).save(root / "large.png")
    (verdict,) = verified(root, "large.png")
    assert verdict.cause == "12000 x 9000 pixels are too many"


@pytest.mark.parametrize(
    ("cell", "separator", "names"),
    [
        ("a.jpg", "", ["a.jpg"]),
        ("a.jpg;b.jpg", "", ["a.jpg;b.jpg"]),
        (" a.jpg ;; b.jpg ", ";", ["a.jpg", "b.jpg"]),
        ("", ";", [""]),
        (";", ";", [";"]),
    ],
)
def test_the_names_in_a_cell(cell, separator, names):
    assert names_in(cell, separator) == names


def test_of_several_photos_the_first_that_can_be_read_is_used(root):
    (root / "broken.jpg").write_bytes(b"")
    cells = ("gone.jpg|broken.jpg|sub/b.jpg|a.jpg", "gone.jpg|broken.jpg")
    found = verified(root, *cells, separator="|")
    assert (found[0].reason, found[0].name) == (None, "sub/b.jpg")
    assert found[1].reason == Reason.IMAGE_MISSING
