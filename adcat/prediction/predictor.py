"""Answers ads in batches: decodes, runs the classifiers, and applies the rule for what is there."""

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import MODALITIES, Modality, Probs
from adcat.errors import BadInputError
from adcat.image.decoding import Photos, read_ahead
from adcat.image.verification import locate
from adcat.prediction.ads import Ad
from adcat.prediction.answers import Answer, answers
from adcat.prediction.rules import KINDS, Kind, Rule
from adcat.rejections import Reason

if TYPE_CHECKING:
    from adcat.image.classifier import ImageModel
    from adcat.image.extraction import Forward
    from adcat.text.models import TextModel

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """An ad, its photo if it is needed and can be decoded, and what is wrong with the ad."""

    ad: Ad
    photo: Photos | None  # [side, side, 3]
    problems: Sequence[Reason]

    @property
    def modalities(self) -> frozenset[Modality]:
        """What the ad has."""
        found: dict[Modality, bool] = {"text": bool(self.ad.text), "image": self.photo is not None}
        return frozenset(modality for modality, there in found.items() if there)


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model, the classifiers that stand in for it, and the prior where an ad has nothing."""

    model: Rule
    rules: Mapping[Kind, Rule]  # the model's own among them
    prior: Probs  # [categories]
    text: "Callable[[], TextModel]"
    image: "Callable[[], ImageModel]"
    forward: "Callable[[], Forward]"  # of the image classifier

    @property
    def is_calibrated(self) -> bool:
        """Whether something of it was found on validation ads."""
        return self.model.temperature != 1 or self.model.threshold is not None

    def stream(
        self, batches: Iterable[Sequence[Ad]], images: Path, top: int, ahead: int
    ) -> Iterator[list[Answer]]:
        """Answers every ad, in order.

        Args:
          batches: the ads.
          images: the folder that photos' names are relative to, resolved.
          top: how many categories to suggest where no coverage is promised.
          ahead: batches of photos that are decoded before an answer is given.
        """
        for batch in read_ahead(lambda ad: self._look(ad, images), batches, ahead):
            yield self._answer(batch, top)

    def _look(self, ad: Ad, images: Path) -> Seen:
        if ad.is_malformed:
            return Seen(ad, None, [Reason.MALFORMED_ROW])
        problems = [] if ad.text or "text" not in self.model.modalities else [Reason.EMPTY_TEXT]
        photo = None
        if "image" in self.model.modalities or not ad.text:
            photo = self._photo(ad.image, images)
        if isinstance(photo, Reason):
            return Seen(ad, None, [*problems, photo])
        return Seen(ad, photo, problems)

    def _photo(self, image: str, images: Path) -> Photos | Reason:
        """Decodes a photo as for extraction, or says what is wrong with it."""
        if not image:
            return Reason.NO_IMAGE
        path = locate(images, image)
        if isinstance(path, Reason):
            return path
        try:
            return self.image().read(path)
        except BadInputError:
            return Reason.IMAGE_UNREADABLE

    def _answer(self, batch: Sequence[Seen], top: int) -> list[Answer]:
        used = [self._used(seen) for seen in batch]
        kinds = np.array([KINDS[modalities] for modalities in used])
        arrays = self._arrays(batch, used)
        probs = np.tile(self.prior, (len(batch), 1))
        sizes = self.rules["none"].sizes(probs, top)
        alone = {modality: probs.copy() for modality in MODALITIES}
        for modalities in set(used) - {frozenset()}:
            rule, rows = self.rules[KINDS[modalities]], np.flatnonzero(kinds == KINDS[modalities])
            probs[rows] = rule.probs(arrays, rows)
            sizes[rows] = rule.sizes(probs[rows], top)
            for modality in modalities:
                alone[modality][rows] = self.rules[modality].probs(arrays, rows)
        problems = [seen.problems for seen in batch]
        ads = [seen.ad for seen in batch]
        return answers(ads, probs, sizes, kinds.tolist(), problems, alone, self.prior)

    def _used(self, seen: Seen) -> frozenset[Modality]:
        """What the answer rests on: all that the model reads, or else what there is of it."""
        if self.model.modalities <= seen.modalities:
            return self.model.modalities
        return frozenset(modality for modality in seen.modalities if modality in self.rules)

    def _arrays(
        self, batch: Sequence[Seen], used: Sequence[frozenset[Modality]]
    ) -> dict[str, NDArray[np.float32]]:
        """Both classifiers' vectors and probabilities; not a number where an ad lacks something."""
        arrays: dict[str, NDArray[np.float32]] = {}
        rows = {m: [i for i, there in enumerate(used) if m in there] for m in ("text", "image")}
        if rows["text"]:
            found = self.text().features([batch[i].ad.text for i in rows["text"]])
            arrays.update(_spread("text", found, rows["text"], len(batch)))
        if rows["image"]:
            found = self.forward()(np.stack([batch[i].photo for i in rows["image"]]))  # pyright: ignore[reportArgumentType, reportCallIssue]
            arrays.update(_spread("image", found, rows["image"], len(batch)))
        return arrays


def _spread(
    modality: str, found: Sequence[NDArray[np.float32]], rows: Sequence[int], ads: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for kind, values in zip(("vectors", "probs"), found, strict=True):
        spread = np.full((ads, values.shape[1]), np.nan, np.float32)
        spread[rows] = values
        yield f"{modality}_{kind}", spread


def once(make: Callable[[], Value]) -> Callable[[], Value]:
    """Makes a value at the first call, whichever thread that comes from, and keeps it."""
    lock, made = threading.Lock(), list[Value]()

    def get() -> Value:
        with lock:
            if not made:
                made.append(make())
        return made[0]

    return get
