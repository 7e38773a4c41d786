"""Ads as cards on the page, with thumbnails that are part of it."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from adcat.data.images import open_image
from adcat.errors import BadInputError
from adcat.evaluation.error_groups import first_predictions
from adcat.report.page import Card, data_uri
from adcat.types import Probs, ShownAd

THUMBNAIL = (160, 120)  # pixels
QUALITY = 60  # of JPEG
LEGIBLE = 80  # where there is text in it
COLORS = 64  # of a drawing

ReadShown: TypeAlias = Callable[[Sequence[int]], Sequence[ShownAd]]  # by the ads' rows


def cards(
    read: ReadShown, names: Sequence[str], wanted: Mapping[int, Mapping[str, Probs]]
) -> dict[int, Card]:
    """Makes cards of some ads.

    Args:
      read: reads the ads of the part.
      names: of the categories.
      wanted: the ads' rows in the part, and the classifiers whose first predictions are shown.
    """
    made: dict[int, Card] = {}
    for row, ad in zip(wanted, read(list(wanted)), strict=True):
        predictions = {name: first_predictions(o[row], names) for name, o in wanted[row].items()}
        made[row] = Card(thumbnail(ad.image), ad.title, ad.category, predictions)
    return made


def thumbnail(path: str) -> str:
    """A photo as a small JPEG in a data URI; empty where it cannot be opened."""
    try:
        return embedded(path, THUMBNAIL, QUALITY)
    except BadInputError:
        return ""


def embedded(path: str, size: tuple[int, int], quality: int) -> str:
    """A picture as a JPEG of at most this width and height, in a data URI.

    Raises:
      BadInputError: it cannot be opened.
    """
    image = open_image(path, max(size))
    image.thumbnail(size)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality, optimize=True)
    return data_uri("image/jpeg", content.getvalue())


def embedded_drawing(path: str, size: tuple[int, int]) -> str:
    """A drawing of few colours as a PNG of at most this width and height, in a data URI.

    Raises:
      BadInputError: it cannot be opened.
    """
    image = open_image(path, max(size))
    image.thumbnail(size)
    content = io.BytesIO()
    image.quantize(COLORS).save(content, "PNG", optimize=True)
    return data_uri("image/png", content.getvalue())
