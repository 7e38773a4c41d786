"""Ads as examples in the galleries and figures that `error-groups` draws."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adcat.data.images import open_image
from adcat.errors import BadInputError
from adcat.evaluation.error_groups import PREDICTIONS, Drawn, best
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
        (
            f"{names[hard.category]}: {hard.count:,} of {hard.total:,} ads drawn",
            [examples[row] for row in category.rows],
        )
        for category in drawn
        for hard in [category.misclassified]
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

    def predictions(row: int) -> dict[str, list[tuple[str, float]]]:
        return {
            classifier: [(names[c], p) for c, p in best(array[row], PREDICTIONS)]
            for classifier, array in probs.items()
        }

    return {
        row: Example(_pictures(ad.image), ad.title, ad.category, predictions(row))
        for row, ad in zip(rows, read(rows), strict=True)
    }


def _pictures(path: str) -> "list[Image]":
    try:
        image = open_image(path, max(IMAGE_PIXELS))
    except BadInputError:
        return []
    image.thumbnail(IMAGE_PIXELS)
    return [image]
