"""Image files of every kind and damage: what `adcat split` makes of each, by its --image-check."""

import io
import json
import os

import numpy as np
import pytest
from handmade import Made
from hostile import ADS, delimited, draw_photos, read_rejected, run
from PIL import Image
from pipeline import small_image_model
from sealed import make_workspace

from adcat.image import classifier

MISSING, OUTSIDE, URL = "image file missing", "image outside the images folder", "image is a URL"
UNREADABLE = "image unreadable"


def image(mode="RGB", size=(8, 6)):
    pixels = np.random.default_rng(0).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def content(image, format, **how):
    file = io.BytesIO()
    image.save(file, format, **how)
    return lambda path: path.write_bytes(file.getvalue())


def octets(value):
    return lambda path: path.write_bytes(value)


def gray16():
    return Image.fromarray(np.full((6, 8), 40000, np.uint16))


def bomb(side):
    return lambda path: Image.new("1", (side, side)).save(path, "PNG")


def cut(path):
    image(size=(200, 200)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def link(to):
    return lambda path: path.symlink_to(to)


def nothing(path):
    del path


TURNED = Image.Exif()
TURNED[0x0112] = 6

# name in the table: (what makes the file, reason with --image-check full, header, none)
FINE = (None, None, None)
CASES = {
    "a.png": (content(image(), "PNG"), *FINE),
    "a.jpg": (content(image(), "JPEG"), *FINE),
    "a.webp": (content(image(), "WEBP"), *FINE),
    "a.bmp": (content(image(), "BMP"), *FINE),
    "a.tiff": (content(image(), "TIFF"), *FINE),
    "png-named.jpg": (content(image(), "PNG"), *FINE),
    "cmyk.jpg": (content(image("CMYK"), "JPEG"), *FINE),
    "gray.jpg": (content(image("L"), "JPEG"), *FINE),
    "gray-16-bit.png": (content(gray16(), "PNG"), *FINE),
    "palette.png": (content(image("P"), "PNG", transparency=b"\0\x80"), *FINE),
    "alpha.png": (content(image("RGBA"), "PNG"), *FINE),
    "animated.gif": (content(image(), "GIF", save_all=True, append_images=[image(size=(4, 4))]), *FINE),
    "turned.jpg": (content(image(), "JPEG", exif=TURNED), *FINE),
    "exif-damaged.jpg": (content(image(), "JPEG", exif=b"Exif\0\0damaged"), *FINE),
    "dot.png": (content(image(size=(1, 1)), "PNG"), *FINE),
    "line.png": (content(image(size=(20_000, 1)), "PNG"), *FINE),
    "./dotted.png": (content(image(), "PNG"), *FINE),
    "below/../back.png": (content(image(), "PNG"), *FINE),
    "link-inside.png": (link("0.png"), *FINE),
    "empty.jpg": (octets(b""), UNREADABLE, UNREADABLE, None),
    "text-named.jpg": (octets(b"not a photo at all"), UNREADABLE, UNREADABLE, None),
    "page.jpg": (octets(b"<html><body>404</body></html>"), UNREADABLE, UNREADABLE, None),
    "start-alone.png": (octets(b"\x89PNG\r\n\x1a\n"), UNREADABLE, UNREADABLE, None),
    "start-alone.jpg": (octets(b"\xff\xd8\xff\xe0" + b"\0" * 100), UNREADABLE, UNREADABLE, None),
    "cut.jpg": (cut, UNREADABLE, None, None),
    "bomb.png": (bomb(10_000), UNREADABLE, UNREADABLE, None),  # Pillow only warns of it
    "larger-bomb.png": (bomb(14_000), UNREADABLE, UNREADABLE, None),
    "page.eps": (content(image(), "EPS"), UNREADABLE, UNREADABLE, None),  # starts Ghostscript
    "eps-named.jpg": (content(image(), "EPS"), UNREADABLE, UNREADABLE, None),
    "folder.jpg": (os.mkdir, UNREADABLE, UNREADABLE, UNREADABLE),
    ".": (nothing, UNREADABLE, UNREADABLE, UNREADABLE),
    "fifo.jpg": (os.mkfifo, UNREADABLE, UNREADABLE, UNREADABLE),
    "nowhere.jpg": (nothing, MISSING, MISSING, MISSING),
    "link-to-nothing.jpg": (link("nowhere.jpg"), MISSING, MISSING, MISSING),
    "link-to-itself.jpg": (link("link-to-itself.jpg"), MISSING, MISSING, MISSING),
    "nul\0.jpg": (nothing, MISSING, MISSING, MISSING),
    "a" * 5000: (nothing, MISSING, MISSING, MISSING),
    "0.png/below.jpg": (nothing, MISSING, MISSING, MISSING),
    "*.png": (nothing, MISSING, MISSING, MISSING),
    "../outside.png": (nothing, OUTSIDE, OUTSIDE, OUTSIDE),
    "../nowhere.png": (nothing, OUTSIDE, OUTSIDE, OUTSIDE),
    "../data2/0.png": (nothing, OUTSIDE, OUTSIDE, OUTSIDE),
    "x/../../outside.png": (nothing, OUTSIDE, OUTSIDE, OUTSIDE),
    "link-outside.png": (link("../outside.png"), OUTSIDE, OUTSIDE, OUTSIDE),
    "up/outside.png": (nothing, OUTSIDE, OUTSIDE, OUTSIDE),
    "{folder}/0.png": (nothing, *FINE),
    "/dev/zero": (nothing, OUTSIDE, OUTSIDE, OUTSIDE),
    "https://example.org/0.png": (nothing, URL, URL, URL),
    "HTTP://x/0.png": (nothing, URL, URL, URL),
    "file:///etc/passwd": (nothing, URL, URL, URL),
    "data:image/png;base64,AA": (nothing, URL, URL, URL),
}  # fmt: skip
NAMES = list(CASES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of sound photos with every bad one beside them, and the table of all."""
    folder = draw_photos(tmp_path_factory.mktemp("images") / "data")
    image().save(folder.parent / "outside.png")
    (folder / "below").mkdir()
    (folder / "up").symlink_to("..")
    for name, (make, *_) in CASES.items():
        if make is not nothing:
            make(folder / name)
    bad = [
        (f"bad{i}", f"Bord {i}", "", "Möbler", name.format(folder=folder))
        for i, name in enumerate(NAMES)
    ]
    (folder / "ads.csv").write_text(delimited([*bad, *ADS]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=["full", "header", "none"])
def reasons(request, folder):
    """The mode's index, and the reason of each rejected row by its id."""
    workspace = folder.parent / request.param
    found = run(workspace, "split", folder / "ads.csv", "--image-check", request.param)
    assert found.exit_code == 0, found.output
    listed = {id_: reason for _, id_, reason in read_rejected(workspace / "split")}
    assert listed.keys() <= {f"bad{i}" for i in range(len(CASES))}  # the others go on
    return request.param_index, listed


@pytest.mark.parametrize("name", NAMES, ids=[name[:30] for name in NAMES])
def test_an_image_is_fine_or_listed_with_its_reason(reasons, name):
    mode, listed = reasons
    assert listed.get(f"bad{NAMES.index(name)}") == CASES[name][1 + mode]


FLAG = Image.new("RGB", (8, 6), (200, 30, 60))
FLAG.paste((10, 120, 240), (0, 0, 3, 3))
GRAY = FLAG.convert("L")
HALF_SEEN = FLAG.convert("RGBA")
HALF_SEEN.paste((0, 0, 0, 0), (4, 0, 8, 6))
ON_WHITE = FLAG.copy()
ON_WHITE.paste("white", (4, 0, 8, 6))
STORED_TURNED = FLAG.transpose(Image.Transpose.ROTATE_90)
# name: (what makes the file, the picture that people see)
SEEN = {
    "a.webp": (content(FLAG, "WEBP", lossless=True), FLAG),
    "a.bmp": (content(FLAG, "BMP"), FLAG),
    "png-named.jpg": (content(FLAG, "PNG"), FLAG),
    "cmyk.tiff": (content(FLAG.convert("CMYK"), "TIFF"), FLAG),
    "gray.png": (content(GRAY, "PNG"), GRAY),
    "gray-16-bit.png": (content(Image.fromarray(np.asarray(GRAY, np.uint16) * 257), "PNG"), GRAY),
    "palette.png": (content(FLAG.quantize(4), "PNG"), FLAG),
    "alpha.png": (content(HALF_SEEN, "PNG"), ON_WHITE),
    "animated.gif": (content(FLAG, "GIF", save_all=True, append_images=[GRAY.convert("RGB")]), FLAG),
    "turned.png": (content(STORED_TURNED, "PNG", exif=TURNED), FLAG),
}  # fmt: skip


@pytest.fixture(scope="module")
def predictions(tmp_path_factory):
    """The image classifier's prediction for each file, and to what people see there as a plain PNG."""
    folder = tmp_path_factory.mktemp("seen")
    workspace = make_workspace(folder / "w")
    with workspace.image_model.write(Made(), [workspace.split]) as staging:
        classifier.save(small_image_model(3, dimension=4), staging.folder)
    lines = []
    for name, (make, picture) in SEEN.items():
        make(folder / name)
        picture.convert("RGB").save(folder / f"seen-{name}.png")
        lines += [json.dumps({"image": name}), json.dumps({"image": f"seen-{name}.png"})]
    words = ["predict", "--model", "image", "--images", folder]
    found = run(workspace.root, *words, input="\n".join(lines))
    assert found.exit_code == 0, found.output
    given = [json.loads(line) for line in found.stdout.splitlines()]
    return dict(zip(SEEN, zip(given[::2], given[1::2], strict=True), strict=True))


@pytest.mark.parametrize("name", SEEN)
def test_a_photo_is_answered_as_people_see_it(predictions, name):
    prediction, seen = predictions[name]
    assert (prediction["modality"], prediction["problems"]) == ("image", [])
    assert prediction["categories"] == seen["categories"]


def test_different_pictures_get_different_answers(predictions):
    shown = {
        json.dumps(predictions[name][1]["categories"])
        for name in ("a.bmp", "gray.png", "alpha.png")
    }
    assert len(shown) == 3
