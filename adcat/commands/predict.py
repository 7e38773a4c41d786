"""Suggests categories for new ads (thesis, section 6.5)."""

import dataclasses
import functools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar

from adcat.choosing import chosen_model
from adcat.data.fetching import Store, photos_in, table_here
from adcat.data.image_names import fields_of
from adcat.data.table import InputTable, parse_headers
from adcat.data.thread_map import THREADS
from adcat.data.vector_files import files_of
from adcat.errors import BadInputError
from adcat.files import sha256
from adcat.image.classifier import ImageModel
from adcat.image.engines import EngineOptions, choose, drawn_photos
from adcat.image.inference import Engine
from adcat.prediction.classifiers import EngineOf
from adcat.prediction.export_folder import load
from adcat.prediction.given_vectors import Given
from adcat.prediction.loading import load_predictor
from adcat.prediction.new_ads import Ad, arriving_ads, single_ad, table_ads
from adcat.prediction.on_validation import tell_accepted, tell_calibration
from adcat.prediction.output_files import (
    Record,
    check_format,
    is_done,
    merge_predictions,
    shard_file,
    write_predictions,
)
from adcat.prediction.predictor import ModelFacts, Predictor
from adcat.prediction.rules import Promise
from adcat.progress import Progress
from adcat.settings import Place, argument, model_option, option, seed_option
from adcat.tables import Report
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import Manifest
from adcat.workspace.shards import Shard

READ = {"text": ("title", "description"), "image": ("image",)}  # columns of a table
TABLE, ONE_AD, SUGGESTIONS = "The table", "A single ad", "Suggestions"  # headings in the help


@dataclasses.dataclass(frozen=True)
class Settings(EngineOptions):
    """The ads, the model, and what to predict."""

    panels: ClassVar = ("Arguments", TABLE, ONE_AD, SUGGESTIONS)
    needs: ClassVar = {
        "top": "!coverage",
        "seed": "calibrate coverage",  # which halves the ads
        "merge": "output",
        **dict.fromkeys(
            ("model", "calibrate", "coverage", "image_vectors", "text_vectors"), "!exported"
        ),
    }

    ads: Place | None = argument(
        "Table of ads: .csv, .tsv, .jsonl, .ndjson or .parquet; by default JSON lines on stdin.",
        default=None,
    )
    model: str = model_option("use", SUGGESTIONS)
    exported: Path | None = option(
        None,
        "Folder written by adcat export, to be used instead of the workspace.",
        panel=SUGGESTIONS,
    )
    top: int = option(5, "Number of categories to suggest.", low=1, panel=SUGGESTIONS)
    output: Path | None = option(
        None, "File to write: .jsonl, .csv or .parquet; by default JSON lines on stdout."
    )
    title: str | None = option(None, "Title of a single ad, instead of a table.", panel=ONE_AD)
    description: str | None = option(None, "Description of the single ad.", panel=ONE_AD)
    image: str | None = option(None, "Photo of the single ad.", panel=ONE_AD)
    images: Place | None = option(
        None,
        "Folder or address that image paths start from; by default the table's own, for stdin the "
        "current one.",
        panel=TABLE,
    )
    image_separator: str = option(
        "",
        "Characters that separate the photos in a cell; by default as in the split.",
        panel=TABLE,
    )
    image_pattern: str = option(
        "", "Names of photos made from other columns; by default as in the split.", panel=TABLE
    )
    column: list[str] = option(
        [],
        "Column with a different header, such as title=headline; may be repeated.",
        panel=TABLE,
    )
    image_vectors: list[str] = option(
        [],
        "Vectors of the photos, by the ads' ids, for an image classifier that extract-features "
        "--image-vectors made; NAME=FILE where there are several, and may be repeated.",
        panel=TABLE,
    )
    text_vectors: list[str] = option([], "Vectors of the texts; likewise.", panel=TABLE)
    calibrate: bool = option(
        False,
        "Calibrate the probabilities on validation ads, at least 50 (temperature scaling).",
        panel=SUGGESTIONS,
    )
    coverage: float | None = option(
        None,
        "Instead of a fixed number, suggest as many categories as are needed to include the right "
        "one this often.",
        low=0.0001,
        high=0.9999,
        panel=SUGGESTIONS,
    )
    accept_above: float | None = option(
        None,
        "Mark ads whose first category is at least this probable.",
        low=0,
        high=1,
        panel=SUGGESTIONS,
    )
    shard: str = option(
        "1/1", "Process one of several equal shares of the rows, such as 2/8.", panel=TABLE
    )
    merge: bool = option(
        False, "Put the shares together, once all are there; with the same options.", panel=TABLE
    )
    batch_size: int = option(
        32, "Ads with a photo processed at a time; of those without, up to 4,096.", low=1, high=4096
    )
    seed: int = seed_option()


def predict(workspace: Workspace, settings: Settings, progress: Progress) -> Report | Iterator[str]:
    """Suggest categories for new ads.

    Every row gets one prediction, in order. An ad without text or without a readable photo is
    classified from the other; one with neither gets the categories' shares of the training ads.
    The fields `modality` and `problems` say so. `contributions` are what text and photo add to the
    log probability of the first category. With --output, run an interrupted command again to
    resume it.
    """
    ads, images = table_here(settings.ads, settings.images, progress)
    settings = dataclasses.replace(settings.resolved(), ads=ads, images=images)
    if settings.output:
        check_format(settings.output)
    if settings.exported:
        predictor = load(settings.exported, engine_of=_engine_of(settings, None, progress))
    else:
        predictor = _from_workspace(workspace, settings, progress)
    source = _source(settings, predictor.facts, progress)

    def records(done: int = 0) -> Iterator[Record]:
        """Predicts the ads after the first `done`, then says what the predictions rest on."""
        read = [column for m in predictor.model.modalities for column in READ[m]]
        availabilities, problems = Counter[str](), Counter[str]()
        ads = source.ads(done, read)
        for predictions in predictor.stream(
            ads, source.images, settings.top, source.ahead, settings.batch_size, source.separator
        ):
            for prediction in predictions:
                availabilities[prediction.availability] += 1
                problems.update(prediction.problems)
                yield prediction.record(predictor.facts.categories, settings.accept_above)
        progress.say(f"predictions based on: {_listed(availabilities)}")
        if problems:
            progress.say(f"problems: {_listed(problems)}")

    if settings.output is None:
        return (json.dumps(record, ensure_ascii=False) for record in records())
    return _save(settings, _about(predictor, settings), records)


def _from_workspace(workspace: Workspace, settings: Settings, progress: Progress) -> Predictor:
    """The model that is asked for, with what its validation ads say of it told."""
    model = chosen_model(workspace, settings.model, progress)
    promise = Promise(settings.calibrate, settings.coverage, settings.seed)
    vectors: Given = {"image": settings.image_vectors, "text": settings.text_vectors}
    engine_of = _engine_of(settings, workspace.root, progress)
    predictor = load_predictor(workspace, model, promise, vectors, engine_of)
    tell_calibration(workspace, predictor, promise, progress)
    if settings.accept_above is not None:
        tell_accepted(workspace, model, predictor.model, settings.accept_above, progress)
    return predictor


def _engine_of(settings: Settings, root: Path | None, progress: Progress) -> EngineOf:
    """What chooses an image classifier's engine, on drawn photos: the ads' own come later."""

    def choose_engine(model: ImageModel) -> Engine:
        photos = functools.partial(drawn_photos, model.side)
        return choose(settings, model.network, model.outputs, photos, root, progress)

    return choose_engine


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where the ads come from."""

    ads: Callable[[int, Sequence[str]], Iterable[Iterable[Ad]]]
    # called with the number to pass over and the columns that the model reads
    images: Path | Store  # what photos' names are relative to, resolved
    separator: str = ""  # between several of them in a cell
    ahead: int = 0  # batches whose images are decoded ahead


def _source(settings: Settings, facts: ModelFacts, progress: Progress) -> Source:
    """The one ad that is given, the table, or stdin.

    Raises:
      BadInputError: the options contradict each other.
    """
    shard = Shard.parse(settings.shard)
    given = parse_headers(settings.column)
    table = InputTable(
        Path(settings.ads or "stdin"),
        {**facts.headers, **given},
        (*given, *fields_of(settings.image_pattern)),
        image_pattern=settings.image_pattern or facts.image_pattern,
    )
    is_one = (settings.title, settings.description, settings.image) != (None, None, None)
    if is_one and settings.ads:
        raise BadInputError("give a table or a single ad: ADS, or --title, --description, --image")
    if not settings.ads and shard != Shard():
        raise BadInputError(f"--shard {settings.shard} needs a table; give ADS")
    if settings.merge and shard != Shard():
        raise BadInputError("--merge puts all shards together; leave --shard out")
    if is_one:
        ad, folder = single_ad(
            settings.title, settings.description, settings.image, settings.images
        )
        return Source(lambda *_: [[ad]], folder)
    images = photos_in(table.path, settings.images)
    separator = settings.image_separator or facts.image_separator
    if settings.ads:

        def ads(done: int, read: Sequence[str]) -> Iterable[Iterable[Ad]]:
            ads = table_ads(dataclasses.replace(table, read=read), shard, progress)
            return [islice(ads, done, None)]

        return Source(ads, images, separator, THREADS)
    if sys.stdin.isatty():
        progress.say("reading ads from the terminal, one JSON object on a line")
    return Source(lambda *_: arriving_ads(sys.stdin.buffer, table), images, separator)


def _about(predictor: Predictor, settings: Settings) -> Manifest:
    """The manifest of the predictions: what they follow from, without paths."""
    if settings.ads is None:
        raise BadInputError("--output needs a table; give ADS, or redirect stdout: > FILE")
    portable = dataclasses.replace(
        settings,
        **dict.fromkeys(("images", "output", "exported", "image_vectors", "text_vectors")),
        ads=Path(Path(settings.ads).name),
        model=predictor.facts.model,
    )
    recorded = dataclasses.asdict(portable)
    del recorded["merge"]  # its result is that of one process
    return Manifest(
        settings=recorded,
        inputs=predictor.facts.made_from,
        notes={
            "table_sha256": sha256(Path(settings.ads)),
            "vectors_sha256": [
                {file.name: sha256(file) for file in files_of(given.path)}
                for given in predictor.given
            ],
            "calibrated_on": predictor.calibrated_on,
            "rules": {
                kind: {"temperature": rule.temperature, "threshold": rule.threshold}
                for kind, rule in predictor.rules.items()
            },
        },
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common()) or "none"


def _save(
    settings: Settings, about: Manifest, records: Callable[[int], Iterator[Record]]
) -> Report:
    path = shard_file(settings.output or Path(), Shard.parse(settings.shard))
    if is_done(path, about):
        return Report([f"{path} is up to date: same ads, model and settings"])
    if settings.merge:
        merge_predictions(path, about)
    else:
        write_predictions(path, about, records)
    return Report([f"predictions: {path}"])
