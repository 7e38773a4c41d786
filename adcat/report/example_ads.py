"""Ads as examples in the galleries and figures that `error-groups` draws."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adcat.data.images import open_image
from adcat.errors import BadInputError
from adcat.evaluation.error_groups import Drawn, first_predictions
from adcat.plotting.galleries import IMAGE_PIXELS, Example
from adcat.report.embedded_images import ReadShown
from adcat.types import Probs

if TYPE_CHECKING:
    from PIL.Image import Image


def drawn_examples(
    read: ReadShown, names: Sequence[str], drawn: Sequence[Drawn], probs: Mapping[str, Probs]
) -> list[tuple[str, list[Example]]]:
    """A gallery's rows: each a category's heading and its ads."""
    rows = [row for category in drawn for row in category.rows]
    examples = read_examples(read, names, rows, probs)
    return [
        (category.misclassified.heading(names), [examples[row] for row in category.rows])
        for category in drawn
    ]


def read_examples(
    read: ReadShown, names: Sequence[str], rows: Sequence[int], probs: Mapping[str, Probs]
) -> dict[int, Example]:
    """Reads ads, their images and the classifiers' predictions.

    Args:
      read: reads the ads of the part.
      names: of the categories.
      rows: of the ads in the part.
      probs: by classifier [n, categories].
    """
    made: dict[int, Example] = {}
    for row, ad in zip(rows, read(rows), strict=True):
        predictions = {name: first_predictions(o[row], names) for name, o in probs.items()}
        made[row] = Example(_pictures(ad.image), ad.title, ad.category, predictions)
    return made


def _pictures(path: str) -> "list[Image]":
    try:
        image = open_image(path, max(IMAGE_PIXELS))
    except BadInputError:
        return []
    image.thumbnail(IMAGE_PIXELS)
    return [image]
