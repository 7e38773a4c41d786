"""Photos of the same picture are found, however they were saved; those of others are not."""

import io

import numpy as np
import pytest
from PIL import Image

from adcat.data.image_verification import ImageVerification
from adcat.data.similar_images import MOST_BITS, candidates, hashes, show_the_same, views
from adcat.progress import Silent


def picture(seed, size=(240, 180)):
    """Blurred patches of colour: a photo's coarse structure."""
    coarse = np.random.default_rng(seed).integers(256, size=(6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def saved(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def with_bars(image, colour):
    square = Image.new("RGB", (280, 280), colour)
    square.paste(image, (20, 50))
    return square


COPIES = {
    "saved badly": lambda image: saved(image, 20),
    "scaled down": lambda image: image.resize((100, 75)),
    "scaled up": lambda image: image.resize((1000, 750)),
    "cropped": lambda image: image.crop((7, 5, 233, 175)),  # 3 % of every side
    "cut at the bottom": lambda image: image.crop((0, 0, 240, 171)),
    "between black bars": lambda image: saved(with_bars(image, "black"), 80),
    "between white bars": lambda image: saved(with_bars(image, "white"), 80),
    "cropped between bars": lambda image: with_bars(image.crop((7, 5, 233, 175)), "black"),
}


def similar(folder, *images):
    for number, image in enumerate(images):
        image.save(folder / f"{number}.png")
    names = [f"{number}.png" for number in range(len(images))]
    verification = ImageVerification(folder, "full", Silent())
    return verification.similar(verification.verify(names)).T.tolist()


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found_among_other_pictures(tmp_path, copy):
    others = [picture(seed) for seed in range(1, 30)]
    assert similar(tmp_path, *others[:9], picture(0), *others[9:], COPIES[copy](picture(0))) == [
        [9, 30]
    ]


def shape(corner, colour, background="white"):
    image = Image.new("RGB", (240, 180), background)
    image.paste(colour, (corner, 40, corner + 100, 140))
    return image


@pytest.mark.parametrize(
    "images",
    [
        [Image.new("RGB", (240, 180), "white"), Image.new("RGB", (200, 200), "white")],
        [Image.new("RGB", (240, 180), (90, 90, 90)), Image.new("RGB", (240, 180), (90, 91, 90))],
        [Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")],
        [
            Image.linear_gradient("L").convert("RGB"),
            Image.linear_gradient("L").convert("RGB").rotate(9),
        ],
        [shape(20, "red"), shape(20, "navy")],
        [shape(20, "red"), shape(20, "red", "gray")],
        [shape(20, "red"), shape(90, "red")],
        [picture(0), picture(0).rotate(180)],
        [picture(0), picture(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)],
        [picture(0), picture(0).crop((120, 90, 240, 180))],
        [picture(0), Image.blend(picture(0), picture(1), 0.5)],
        [picture(0), Image.merge("RGB", picture(0).split()[::-1])],
    ],
)
def test_others_are_not(tmp_path, images):
    assert similar(tmp_path, *images) == []


def test_only_decoded_photos_have_hashes(tmp_path):
    picture(0).save(tmp_path / "a.png")
    for how in ("header", "none"):
        assert ImageVerification(tmp_path, how, Silent()).verify(["a.png"])[0].hashes == b""


def test_the_first_view_is_the_photo_in_81_cells():
    cells = np.random.default_rng(0).integers(256, size=(9, 9, 3), dtype=np.uint8)
    pixels = cells.repeat(10, axis=0).repeat(10, axis=1)
    seen = views(Image.fromarray(pixels))
    np.testing.assert_array_equal(seen[0], cells)
    assert len(seen) == 8
    seen = views(Image.fromarray(np.pad(pixels, ((19, 19), (0, 0), (0, 0)))))
    assert len(seen) == 16
    np.testing.assert_array_equal(seen[8], cells)  # without the bars above and below


def test_candidates_are_the_pairs_of_a_slow_search():
    rng = np.random.default_rng(0)
    known = rng.integers(0, 2**63, (300, 2)).astype(np.uint64)
    near = known[:40].copy()
    for row in near:  # up to eight bits differ
        for bit in rng.integers(0, 64, rng.integers(0, 9)).tolist():
            row[bit % 2] ^= np.uint64(1 << bit)
    both = np.concatenate([known, near])
    bits = np.bitwise_count(both[:, None] ^ both).sum(axis=-1)
    expected = np.argwhere(np.triu(bits <= MOST_BITS, 1))
    np.testing.assert_array_equal(candidates(both, np.arange(340)).T, expected)


def test_a_photo_is_no_candidate_of_itself_and_many_alike_are_linked_in_one_piece():
    alike = np.zeros((1000, 2), np.uint64)
    assert candidates(alike, np.zeros(1000, int)).shape == (2, 0)
    found = candidates(alike, np.arange(1000))
    assert found.shape[1] <= 1000 * 28 * 3  # grows with the photos, not with their pairs
    assert set(found.ravel().tolist()) == set(range(1000))
    assert candidates(alike[:0], np.zeros(0, int)).shape == (2, 0)


def test_plain_views_are_left_out():
    gray = np.full((90, 90, 3), 128, np.uint8)
    gray[::20] += 16
    assert len(views(Image.fromarray(gray))) == 0
    assert hashes(views(picture(0))).shape == (8, 2)
    assert not show_the_same(views(picture(0)), views(picture(1)))
