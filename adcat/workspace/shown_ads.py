"""Ads of the split as pictures show them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from adcat.progress import Progress
from adcat.types import Modality, Part, ShownAd, availabilities_with
from adcat.workspace.ads import reading_rows
from adcat.workspace.ads_table import AVAILABILITY, DIGEST
from adcat.workspace.artifact import Artifact
from adcat.workspace.photos import Change, images_folder, in_words, photo_change


@contextlib.contextmanager
def reading_shown(
    split: Artifact, part: Part, progress: Progress, having: Sequence[Modality] = ()
) -> Iterator[Callable[[Sequence[int]], list[ShownAd]]]:
    """Opens the table; yields what reads the ads of a part that are to be shown, by their rows.

    Rows count the ads of the part that have all modalities of `having`. A photo that changed or is
    gone is not shown; at the end a warning says so.
    """
    with reading_shown_by_part(split, [part], progress, having) as read:
        yield read[part]


@contextlib.contextmanager
def reading_shown_by_part(
    split: Artifact, parts: Sequence[Part], progress: Progress, having: Sequence[Modality] = ()
) -> Iterator[dict[Part, Callable[[Sequence[int]], list[ShownAd]]]]:
    """The same for several parts."""
    folder, changes = images_folder(split), dict[str, Change]()
    columns = ["title", "category", "image", DIGEST, AVAILABILITY]

    def shown(ad: dict[str, Any]) -> ShownAd:
        """An ad as it is shown, without a photo that changed."""
        path = folder / ad["image"]
        if ad[AVAILABILITY] not in availabilities_with(["image"]):
            path = ""
        elif change := photo_change(path, ad[DIGEST])[0]:
            path, changes[ad["image"]] = "", change
        return ShownAd(ad["title"], ad["category"], str(path))

    with contextlib.ExitStack() as stack:

        def reader(part: Part) -> Callable[[Sequence[int]], list[ShownAd]]:
            read = stack.enter_context(reading_rows(split, part, columns, having))
            return lambda rows: [shown(ad) for ad in read(rows)]

        yield {part: reader(part) for part in parts}
    if changes:
        progress.say(f"warning: not shown: {in_words(split, changes)}")
