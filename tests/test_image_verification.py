"""The check of image files: each hostile one gets its reason, each sound one its digest."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from adcat.data.image_verification import ImageVerification
from adcat.data.images import MOST_PIXELS, open_image
from adcat.data.rejections import Reason
from adcat.errors import BadInputError
from adcat.progress import Silent


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    image(8, 6).save(tmp_path / "images/a.jpg")
    return tmp_path / "images"


def image(width, height, mode="RGB"):
    pixels = np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def check(folder, *images, how="full"):
    return ImageVerification(folder, how, Silent()).verify(images)


def reason(folder, image, how="full"):
    return check(folder, image, how=how)[0].reason


def test_a_sound_photo_has_the_digest_of_its_bytes(folder):
    (folder / "copy.png").write_bytes((folder / "a.jpg").read_bytes())
    image(9, 6).save(folder / "b.jpg")
    first, copy, other = check(folder, "a.jpg", "copy.png", "b.jpg")
    assert first.reason is None
    assert first.digest == copy.digest
    assert len(first.digest) == 32
    assert first.digest != other.digest


def test_ways_that_stay_inside_are_fine(folder):
    (folder / "below").mkdir()
    (folder / "link.jpg").symlink_to("a.jpg")
    assert [v.reason for v in check(folder, "below/../a.jpg", "./a.jpg", "link.jpg")] == [None] * 3
    linked = folder.parent / "linked"
    linked.symlink_to(folder)
    assert reason(linked, "a.jpg") is None


def test_without_a_check_nothing_is_read(folder):
    (folder / "broken.jpg").write_bytes(b"")
    assert [v.reason for v in check(folder, "a.jpg", "broken.jpg", how="none")] == [None, None]
    seen = (folder / "a.jpg").stat()
    assert check(folder, "a.jpg", how="none")[0].digest == f"{seen.st_size}-{seen.st_mtime_ns}"


def test_verdicts_stand_in_the_order_of_the_images(folder):
    names = [f"{i}.jpg" for i in range(300)]
    for name in names[::3]:
        image(8, 6).save(folder / name)
    found = [verdict.reason for verdict in check(folder, *names)]
    assert found == [None, Reason.IMAGE_MISSING, Reason.IMAGE_MISSING] * 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5))
@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp"])
def test_a_damaged_file_is_fine_or_unreadable(folder, suffix, changes):
    path = folder / f"b.{suffix}"
    image(8, 6).save(path)
    content = bytearray(path.read_bytes())
    for position, value in changes:
        content[int(position * (len(content) - 1))] = value
    path.write_bytes(content)
    assert reason(folder, path.name) in (None, Reason.IMAGE_UNREADABLE)
    assert Path(path).read_bytes() == content


@pytest.mark.parametrize("name", ["a.eps", "a.jpg"])
@pytest.mark.parametrize("how", ["full", "header"])
def test_a_format_that_starts_other_programs_is_not_even_tried(folder, name, how):
    image(8, 6).save(folder / name, "EPS")
    assert reason(folder, name, how) == Reason.IMAGE_UNREADABLE
    with pytest.raises(BadInputError, match="not a readable photo"):
        open_image(folder / name)


def test_a_bomb_is_not_decoded_when_training_or_predicting_either(folder):
    side = int(MOST_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(folder / "bomb.png")
    Image.new("L", (2 * side, 2 * side)).save(folder / "bomb.jpg")
    for name, size in (("bomb.png", side), ("bomb.jpg", 2 * side)):
        with pytest.raises(BadInputError, match=f"{size} x {size} pixels are too many"):
            open_image(folder / name)


def test_a_photo_of_a_large_sensor_is_decoded_at_half_its_size(folder):
    Image.new("L", (12_000, 9_000), 200).save(folder / "large.jpg")
    assert reason(folder, "large.jpg", "full") is None
    assert open_image(folder / "large.jpg").size == (6_000, 4_500)
    assert open_image(folder / "large.jpg", 299).size == (1_500, 1_125)
