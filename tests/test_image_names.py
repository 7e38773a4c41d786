"""Names of photos: what is found whatever its spelling, what helps where it is not."""

import json
import unicodedata

import pytest
from handmade import Made, certain, make_features
from PIL import Image
from pipeline import adcat, draw_ads, small_image_model

from adcat.data.image_names import cause, fields_of, filled, locate, names_in
from adcat.data.image_verification import ImageVerification
from adcat.data.rejections import Reason
from adcat.errors import BadInputError
from adcat.image import classifier
from adcat.progress import Silent
from adcat.types import PARTS
from adcat.workspace.ads import read_labels
from adcat.workspace.layout import Workspace

MISSING = Reason.IMAGE_MISSING.value
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "åäö.jpg") for form in ("NFC", "NFD"))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "photos"
    (root / "sub").mkdir(parents=True)
    for name in ("a.jpg", "my photo.jpg", "sub/b.jpg", DECOMPOSED):
        Image.new("RGB", (4, 4)).save(root / name)
    (tmp_path / "outside.jpg").write_bytes((root / "a.jpg").read_bytes())
    (root / "link.jpg").symlink_to("../outside.jpg")
    (root / "broken").symlink_to("nowhere")
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
        ("photos/a.jpg", "there is photos/a.jpg in the folder above; name that with --images"),
        ("sub\\b.jpg", "there is sub/b.jpg; write / for \\"),
        ("my%20photo.jpg", "there is my photo.jpg; decode what begins with %"),
        (
            "photos\\my%20photo.jpg",
            "there is photos/my photo.jpg in the folder above; write / for \\ and decode what "
            "begins with %; name that with --images",
        ),
        ("A.JPG", "there is a.jpg; write the name as the file has it"),
        ("a.png", "there is a.jpg; write the name as the file has it"),
        ("sub/B", "there is sub/b.jpg; write the name as the file has it"),
        ("a.jpg|sub/b.jpg", "several names; type: --image-separator '|'"),
        ("gone.jpg; a.jpg", "several names; type: --image-separator ';'"),
        ("a.jpg sub/b.jpg", "several names; type: --image-separator ' '"),
        ("your a.jpg", ""),
        (r"C:\photos\a.jpg", "there is a.jpg; write / for \\; write the name as the file has it"),
        ("broken/a.jpg", "broken is a link to nowhere; copy what it leads to"),
        ("gone.jpg", ""),
        ("gone/a.jpg", ""),
        ("a\0b", ""),
        ("x" * 5000, ""),
    ],
)
def test_a_missing_name_is_told_what_helps(root, name, told):
    assert locate(root, name) == Reason.IMAGE_MISSING
    assert cause(root, name, Reason.IMAGE_MISSING) == told


def test_separators_that_were_given_stay_in_what_to_type(root):
    (verdict,) = verified(root, "gone.jpg; x.jpg|a.jpg", separator=";")
    assert (verdict.reason, verdict.cause) == (Reason.IMAGE_MISSING, "")
    (verdict,) = verified(root, "x.jpg|a.jpg;x", separator=";")
    assert verdict.cause == "several names; type: --image-separator ';|'"


def test_a_link_out_of_the_folder_is_told(root):
    (verdict,) = verified(root, "link.jpg")
    assert verdict.reason == Reason.IMAGE_OUTSIDE
    assert verdict.cause == "link.jpg is a link to ../outside.jpg; copy what it leads to"


def test_a_path_of_another_machine_is_told_what_of_it_is_there(root):
    found = verified(root, "/home/me/photos/sub/b.jpg", "/home/me/gone.jpg", "../" + "x" * 5000)
    assert [verdict.reason for verdict in found] == [Reason.IMAGE_OUTSIDE] * 3
    told = "there is sub/b.jpg; write the name as the file has it"
    assert [verdict.cause for verdict in found] == [told, "", ""]


def test_names_that_are_not_utf_8_are_told_as_text(root):
    (root / "odd.jpg").symlink_to("../\udcff")
    (verdict,) = verified(root, "odd.jpg")
    assert verdict.cause == r"odd.jpg is a link to ../\udcff; copy what it leads to"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC; convert it to JPEG"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<?xml version='1.0'?><svg/>", "SVG; convert it to PNG"),
        (b"%PDF-1.7", "PDF; convert it to JPEG"),
        (b"", "an empty file"),
        (b"photo", "not in a known format"),
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
        ("a.jpg;b.jpg | c.jpg", ";|", ["a.jpg", "b.jpg", "c.jpg"]),
        ("a^b]c-d", "-]^", ["a", "b", "c", "d"]),
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


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{id}.jpg", "7.jpg"),
        ("a/{id}_{long id}_{id}.png", "a/7_8 9_7.png"),
        ("{id}{braces}.jpg", "7{id}.jpg"),
        ("{id}{empty}.jpg", ""),
        ("{none}.jpg", ""),
        ("", ""),
    ],
)
def test_a_pattern_is_filled_or_names_no_image(pattern, name):
    values = {"id": "7", "long id": " 8 9 ", "braces": "{id}", "empty": " ", "none": None}
    assert filled(pattern, values) == name


def test_a_pattern_without_a_column_is_refused():
    with pytest.raises(BadInputError, match=r"--image-pattern photo.jpg: expected columns in"):
        fields_of("photo.jpg")


# New ads


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A split of ads with several photos, called after a column, and an image model."""
    folder = tmp_path_factory.mktemp("names")
    workspace = Workspace(folder / "w")
    lines = [{**ad, "number": i, "image": None} for i, ad in enumerate(draw_ads(folder, 30))]
    (folder / "ads.jsonl").write_text("\n".join(map(json.dumps, lines)))
    how = ("--image-pattern", "gone/{number}.jpg;photos/{number}.jpg", "--image-separator", ";")
    adcat(workspace, "split", folder / "ads.jsonl", *how)
    with workspace.image_model.write(Made(), [workspace.split]) as staging:
        classifier.save(small_image_model(3), staging.folder)
    probs = {part: {"image": certain(read_labels(workspace.split, part), 3)} for part in PARTS}
    make_features(workspace, probs)
    return workspace


def predicted(workspace, *ads, options=()):
    """What is wrong with each ad or image, and how many different causes there are."""
    words = ("predict", "--model", "image", "--images", workspace.root.parent, *options)
    lines = "\n".join(json.dumps(ad if isinstance(ad, dict) else {"image": ad}) for ad in ads)
    found = [json.loads(line) for line in adcat(workspace, *words, input=lines).stdout.splitlines()]
    different = {json.dumps(prediction["categories"]) for prediction in found}
    return [", ".join(prediction["problems"]) for prediction in found], len(different)


def test_predict_takes_the_first_photo_of_a_cell_as_the_split_did(made):
    path = made.root.parent / "photos/1.jpg"
    same = ("photos/1.jpg", "gone.jpg; photos/1.jpg;photos/2.jpg", f"{path};photos/3.jpg")
    assert predicted(made, *same) == ([""] * 3, 1)
    assert predicted(made, "gone.jpg;../x")[0] == [MISSING]


def test_predict_names_photos_by_the_pattern_of_the_split_where_an_ad_has_its_columns(made):
    assert predicted(made, {"number": 1}, {"Number": "1", "image": "x"}, "photos/1.jpg") == (
        ["", "", ""],
        1,
    )
    assert predicted(made, {"number": 99}, {"number": ""})[0] == [MISSING, "no image given"]
    other = ("--image-pattern", "photos/{title}{number}.jpg")
    assert predicted(made, {"number": 1, "title": ""}, options=other)[0] == ["no image given"]
    assert predicted(made, {"number": 1, "title": 1}, options=other)[0] == [""]


def test_predict_may_be_told_another_separator(made):
    cells = ("gone.jpg|photos/1.jpg", "gone.jpg;photos/1.jpg")
    told = predicted(made, *cells, options=("--image-separator", "|"))
    assert told == (["", MISSING], 2)
