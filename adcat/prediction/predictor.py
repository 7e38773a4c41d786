"""Predicts in batches: decodes images, runs the classifiers, applies the rule for each ad."""

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from adcat.data.fetching import Store, found_in, photos_in
from adcat.data.image_names import names_in
from adcat.data.images import Images
from adcat.data.rejections import Reason
from adcat.data.table import InputTable
from adcat.data.text_cleaning import Reading
from adcat.data.thread_map import map_ahead
from adcat.errors import BadInputError
from adcat.image.classifier import ImageModel
from adcat.image.inference import Forward
from adcat.prediction.given_vectors import NO_VECTOR, GivenVectors
from adcat.prediction.new_ads import Ad, given_ads, in_batches
from adcat.prediction.predictions import Prediction, predictions
from adcat.prediction.rules import Rule
from adcat.settings import place
from adcat.text.registry import TermModel, TextModel
from adcat.types import AVAILABILITIES, MODALITIES, Availability, Modality, Probs

Value = TypeVar("Value")
BATCH = 4096  # ads without a photo to read
PIXELS = "image_pixels"  # the images themselves, for an attention model
PHOTOS = 32  # to decode at a time
WAITING = 32  # threads of a batch that wait for photos of a store
Arrays: TypeAlias = dict[str, NDArray[np.float32]]  # such as `image_probs`: [n, columns]


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """An ad, its image if it is needed and can be decoded, and its problems."""

    ad: Ad
    images: Mapping[str, Images]  # as each image classifier reads it [side, side, 3]; or none
    problems: Sequence[str]
    modalities: frozenset[Modality] = frozenset()  # what the ad has


@dataclasses.dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model's files do not say; an export has it in `serving.json`."""

    model: str
    categories: Sequence[str]  # column j of every probability array is category j
    prior: Sequence[float]  # [categories]
    headers: Mapping[str, str]  # column -> its header in the table that was split
    image_separator: str  # what stood there between several photos in a cell
    image_pattern: str  # what photos were called after other columns
    made_from: Mapping[str, str]  # artifact -> its digest
    layers: Mapping[str, str]  # whose outputs are the vectors of the unnamed classifiers


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model and its fallbacks: the classifiers, and the prior for an ad with neither modality."""

    facts: ModelFacts
    model: Rule
    rules: Mapping[Availability, Rule]  # the model's own among them
    # The classifiers by what the names of their arrays end in: nothing, or as `@words`.
    text: Mapping[str, Callable[[], tuple[TextModel, Reading]]]  # and what they read of an ad
    image: Mapping[str, Callable[[], ImageModel]]
    forward: Mapping[str, Callable[[], Forward]]  # of the image classifiers
    given: Sequence[GivenVectors] = ()  # what stands for those that read vectors made elsewhere
    calibrated_on: str = "nothing"  # what temperatures and thresholds were fitted on

    @functools.cached_property
    def prior(self) -> Probs:
        """The prediction for an ad of which nothing is known: [categories]."""
        return np.array(self.facts.prior, np.float32)

    @property
    def modalities(self) -> frozenset[Modality]:
        """The modalities that have a classifier."""
        return frozenset(modality for modality in MODALITIES if modality in self.rules)

    def predict(
        self, ads: Iterable[Mapping[str, Any]], images: Path | str = ".", top: int = 5
    ) -> Iterator[dict[str, Any]]:
        """Predicts ads as `adcat predict` does, and yields what it prints, in order.

        Args:
          ads: each with `title`, `description` and `image`, of which any may be missing, and `id`.
          images: the folder that image paths are relative to, or its address.
          top: how many categories to suggest.
        """
        table = InputTable(Path(), self.facts.headers, (), image_pattern=self.facts.image_pattern)
        separator = self.facts.image_separator
        given = place(str(images))
        folder = photos_in(Path(), given) if isinstance(given, str) else given.resolve()
        for found in self.stream([given_ads(ads, table)], folder, top, 0, separator=separator):
            yield from (prediction.record(self.facts.categories, None) for prediction in found)

    def stream(
        self,
        ads: Iterable[Iterable[Ad]],
        images: Path | Store,
        top: int,
        ahead: int,
        photos: int = PHOTOS,
        separator: str = "",
    ) -> Iterator[list[Prediction]]:
        """Predicts every ad, in order.

        Args:
          ads: the ads; no batch reaches across two of these iterables.
          images: the folder that image paths are relative to, resolved, or a store.
          top: how many categories to suggest where no coverage is asked for.
          ahead: batches whose images are decoded ahead of their use.
          photos: the most to be decoded at a time.
          separator: stands between the names of an ad that has several images.
        """
        share = -(-photos // max(1, ahead))  # several batches are in work at once
        weight = -(-BATCH // share)  # of a photo, in texts

        def weigh(ad: Ad) -> int:
            """What an ad counts in a batch: a photo as many texts."""
            return weight if ad.photo or (ad.image and self._looks_at(ad)) else 1

        batches = (batch for some in ads for batch in in_batches(some, BATCH, weigh))
        see = functools.partial(self._see, folder=images, separator=separator)
        for seen, image_arrays in map_ahead(see, batches, ahead):
            yield self._predict(seen, image_arrays, top)

    def arrays(
        self, ad: Ad, images: Path | Store, separator: str = ""
    ) -> tuple[Arrays, frozenset[Modality], Sequence[str]]:
        """What the classifiers make of an ad.

        Args:
          ad: the ad.
          images: the folder that image paths are relative to, resolved, or a store.
          separator: stands between the names of its images, where it has several.

        Returns:
          Arrays by name, such as `text_vectors`: [1, columns]; what of it they are made of; and
          its problems.
        """
        (seen,), arrays = self._see([ad], images, separator)
        used = self._used(seen)
        return {**arrays, **self._text_arrays([seen], [used])}, used, seen.problems

    def _see(
        self, batch: Sequence[Ad], folder: Path | Store, separator: str
    ) -> tuple[list[Seen], Arrays]:
        """Decodes the images that are used and runs the image network over them."""
        look = functools.partial(self._look, images=folder, separator=separator)
        waits = isinstance(folder, Store)  # for each photo, so for all of them at once
        seen = list(map_ahead(look, batch, len(batch), WAITING) if waits else map(look, batch))
        rows = [i for i, ad in enumerate(seen) if "image" in self._used(ad)]
        if not rows:
            return seen, {}
        arrays: Arrays = {}
        for of in self._read["image"]:
            images = np.stack([seen[i].images[of] for i in rows])
            arrays.update(_spread("image", of, self.forward[of]()(images), rows, len(seen)))
            if PIXELS in self.model.reads and not of:
                arrays[PIXELS] = _in_rows(images, rows, len(seen))
        return seen, arrays

    @functools.cached_property
    def _read(self) -> Mapping[Modality, Sequence[str]]:
        """The classifiers of texts and photos that any rule reads; the first always, to compare."""
        read = {name.partition("_")[2] for rule in self.rules.values() for name in rule.reads}
        there: dict[Modality, Mapping[str, Any]] = {"text": self.text, "image": self.image}
        return {
            modality: [of for of in found if not of or any(name.endswith(of) for name in read)]
            for modality, found in there.items()
        }

    def _look(self, ad: Ad, images: Path | Store, separator: str) -> Seen:
        if ad.is_malformed:
            return Seen(ad, {}, [Reason.MALFORMED_ROW])
        lacking = {given.modality for given in self.given if ad.id not in given.vectors}
        problems: list[str] = [NO_VECTOR] if lacking & self.model.modalities else []
        if not ad.text and self._read["text"]:
            lacking.add("text")
            problems += [Reason.EMPTY_TEXT] if "text" in self.model.modalities else []
        image: Mapping[str, Images] | str = {}
        if self._looks_at(ad):
            given = [ad.photo] if ad.photo else names_in(ad.image, separator)
            found = [self._photo(image, images) for image in given]
            image = next((one for one in found if not isinstance(one, str)), found[0])
        if isinstance(image, str):
            problems, image = [*problems, image], {}
        if not image and self._read["image"]:
            lacking.add("image")
        return Seen(ad, image, problems, frozenset(MODALITIES) - lacking)

    def _looks_at(self, ad: Ad) -> bool:
        """Whether an ad's photo is needed."""
        is_used = "image" in self.model.modalities or not ad.text
        return is_used and "image" in self.modalities and bool(self._read["image"])

    def _photo(self, image: str | bytes, images: Path | Store) -> Mapping[str, Images] | str:
        """Decodes an image as each classifier reads it; returns the reason where that fails."""
        if not image:
            return Reason.NO_IMAGE
        path = found_in(images, image) if isinstance(image, str) else image
        if isinstance(path, str):
            return path
        # Outside the block: a broken model is not a broken photo.
        models = {of: self.image[of]() for of in self._read["image"]}
        try:
            return {
                of: model.read(BytesIO(path) if isinstance(path, bytes) else path)
                for of, model in models.items()
            }
        except BadInputError:
            return Reason.IMAGE_UNREADABLE

    def _predict(self, batch: Sequence[Seen], image_arrays: Arrays, top: int) -> list[Prediction]:
        used = [self._used(seen) for seen in batch]
        availabilities = np.array([AVAILABILITIES[modalities] for modalities in used])
        arrays = {**image_arrays, **self._text_arrays(batch, used)}
        for given in self.given:
            if rows := [i for i, modalities in enumerate(used) if given.modality in modalities]:
                found = given.features([batch[i].ad.id for i in rows])
                arrays.update(_spread(given.modality, given.of, found, rows, len(batch)))
        probs = np.tile(self.prior, (len(batch), 1))
        sizes = self.rules["none"].sizes(probs, top)
        single = {modality: probs.copy() for modality in MODALITIES}
        for modalities in set(used) - {frozenset()}:
            availability = AVAILABILITIES[modalities]
            rule, rows = self.rules[availability], np.flatnonzero(availabilities == availability)
            probs[rows] = rule.probs(arrays, rows)
            sizes[rows] = rule.sizes(probs[rows], top)
            for modality in modalities:
                single[modality][rows] = self.rules[modality].probs(arrays, rows)
        problems = [seen.problems for seen in batch]
        ads = [seen.ad for seen in batch]
        return predictions(ads, probs, sizes, availabilities.tolist(), problems, single, self.prior)

    def _used(self, seen: Seen) -> frozenset[Modality]:
        """The modalities predicted from: all that the model reads, or those of them the ad has."""
        there = seen.modalities & self.modalities
        return self.model.modalities if self.model.modalities <= there else there

    def _text_arrays(self, batch: Sequence[Seen], used: Sequence[frozenset[Modality]]) -> Arrays:
        rows = [i for i, modalities in enumerate(used) if "text" in modalities]
        if not rows:
            return {}
        arrays: Arrays = {}
        for of in self._read["text"]:
            model, reading = self.text[of]()
            texts = [batch[i].ad.read(reading) for i in rows]
            arrays.update(_spread("text", of, model.features(texts), rows, len(batch)))
            if isinstance(model, TermModel):
                every = np.full(len(batch), "", object)
                every[rows] = texts
                arrays[f"text_terms{of}"] = model.terms(every.tolist())  # pyright: ignore[reportArgumentType]
        return arrays


def _spread(
    modality: str, of: str, found: Sequence[NDArray[np.float32]], rows: Sequence[int], ads: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Vectors and probabilities of these rows; NaN in the others."""
    for kind, values in zip(("vectors", "probs"), found, strict=True):
        yield f"{modality}_{kind}{of}", _in_rows(values, rows, ads)


def _in_rows(values: NDArray[np.float32], rows: Sequence[int], ads: int) -> NDArray[np.float32]:
    spread = np.full((ads, *values.shape[1:]), np.nan, np.float32)
    spread[rows] = values
    return spread


def once(make: Callable[[], Value]) -> Callable[[], Value]:
    """Computes a value at the first call, from whichever thread, and keeps it."""
    lock, made = threading.Lock(), list[Value]()

    def get() -> Value:
        with lock:
            if not made:
                made.append(make())
        return made[0]

    return get
