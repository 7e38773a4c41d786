"""Ads as examples in the galleries and figures that `error-groups` draws."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adcat.data.images import open_image
from adcat.errors import BadInputError
from adcat.evaluation.error_groups import Drawn, first_predictions
from adcat.plotting.galleries import IMAGE_PIXELS, Example, gallery
from adcat.report.embedded_images import ReadShown
from adcat.types import Probs

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclasses.dataclass(frozen=True, slots=True)
class Examples:
    """Draws ads of a part, given by row, with what classifiers say of them."""

    folder: Path  # of the artifact
    read: ReadShown
    names: Sequence[str]  # of the categories
    probs: Mapping[str, Probs]  # by classifier: [n, categories]

    def figure(
        self, number: str, heading: str, rows: Sequence[int], classifiers: Sequence[str]
    ) -> None:
        """Draws figure 4.2, 4.3, 4.4 or 4.5: ads beside one another."""
        examples = self._of(rows, classifiers)
        for form in ("png", "svg"):
            path = self.folder / f"figures/figure-{number}.{form}"
            gallery(path, heading, [("", [examples[row] for row in rows])])

    def gallery(
        self, group: str, heading: str, drawn: Sequence[Drawn], classifiers: Sequence[str]
    ) -> None:
        """Draws a gallery of an error group: each row has a category's heading and its ads."""
        examples = self._of([row for category in drawn for row in category.rows], classifiers)
        rows = [
            (category.misclassified.heading(self.names), [examples[row] for row in category.rows])
            for category in drawn
        ]
        gallery(self.folder / f"galleries/{group}.png", heading, rows)

    def _of(self, rows: Sequence[int], classifiers: Sequence[str]) -> dict[int, Example]:
        """Reads ads, their images and these classifiers' predictions."""
        made: dict[int, Example] = {}
        for row, ad in zip(rows, self.read(rows), strict=True):
            predictions = {
                name: first_predictions(self.probs[name][row], self.names) for name in classifiers
            }
            made[row] = Example(pictures(ad.image), ad.title, ad.category, predictions)
        return made


def pictures(path: str) -> "list[Image]":
    """The photo of an ad as a gallery shows it; none where it cannot be opened."""
    try:
        image = open_image(path, max(IMAGE_PIXELS))
    except BadInputError:
        return []
    image.thumbnail(IMAGE_PIXELS)
    return [image]
