"""Ads as examples in the galleries and figures that `error-groups` draws."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adcat.data.images import open_image
from adcat.errors import BadInputError
from adcat.evaluation.error_groups import PREDICTIONS, Drawn, best
from adcat.plotting.galleries import IMAGE_PIXELS, Example
from adcat.types import Part, Probs
from adcat.workspace.ads import image_paths, read_ads, read_categories
from adcat.workspace.layout import Workspace

if TYPE_CHECKING:
    from PIL.Image import Image


def drawn_examples(
    workspace: Workspace, part: Part, drawn: Sequence[Drawn], probs: Mapping[str, Probs]
) -> list[tuple[str, list[Example]]]:
    """A gallery's rows: each a category's heading and its ads."""
    names = read_categories(workspace.split)
    rows = [row for category in drawn for row in category.rows]
    examples = read_examples(workspace, part, rows, probs)
    return [
        (
            f"{names[hard.category]}: {hard.count:,} of {hard.total:,} ads drawn",
            [examples[row] for row in category.rows],
        )
        for category in drawn
        for hard in [category.misclassified]
    ]


def read_examples(
    workspace: Workspace, part: Part, rows: Sequence[int], probs: Mapping[str, Probs]
) -> dict[int, Example]:
    """Reads ads, what classifiers take them for, and their photos.

    Args:
      workspace: where the ads are.
      part: that they belong to.
      rows: of the ads in the part.
      probs: by classifier [n, categories].
    """
    names, paths = read_categories(workspace.split), image_paths(workspace.split, part)

    def predictions(row: int) -> dict[str, list[tuple[str, float]]]:
        return {
            classifier: [(names[c], p) for c, p in best(array[row], PREDICTIONS)]
            for classifier, array in probs.items()
        }

    ads = read_ads(workspace.split, part, ["title", "category"], rows)
    return {
        row: Example(_pictures(paths[row]), ad["title"], ad["category"], predictions(row))
        for row, ad in zip(rows, ads, strict=True)
    }


def _pictures(path: str) -> "list[Image]":
    try:
        image = open_image(path, max(IMAGE_PIXELS))
    except BadInputError:
        return []
    image.thumbnail(IMAGE_PIXELS)
    return [image]
