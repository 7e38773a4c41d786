"""Suggests categories for new ads (thesis, section 6.5)."""

import dataclasses
import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from adcat.choosing import chosen_model
from adcat.data.fetching import table_here
from adcat.data.image_names import images_folder
from adcat.data.numbered_rows import NumberedRows
from adcat.data.vector_files import files_of
from adcat.errors import AdcatError, BadInputError, StaleArtifactError
from adcat.files import sha256
from adcat.parallel.spark_session import failures_told, spark_session
from adcat.prediction import output_folder
from adcat.prediction.ad_sources import ONE_AD, TABLE, AdOptions
from adcat.prediction.classifiers import engine_on_drawn_photos
from adcat.prediction.export_folder import load
from adcat.prediction.given_vectors import Given
from adcat.prediction.loading import load_predictor
from adcat.prediction.on_validation import tell_accepted, tell_calibration
from adcat.prediction.output_files import (
    Record,
    check_format,
    is_done,
    merge_predictions,
    shard_file,
    write_predictions,
)
from adcat.prediction.predictor import Predictor
from adcat.prediction.rules import Promise
from adcat.progress import Progress, Silent
from adcat.settings import model_option, option, seed_option
from adcat.tables import Report
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import Manifest
from adcat.workspace.shards import Shard, all_shards_for

READ = {"text": ("title", "description"), "image": ("image",)}  # columns of a table
SUGGESTIONS = "Suggestions"  # a heading in the help


@dataclasses.dataclass(frozen=True)
class Settings(AdOptions):
    """The ads, the model, and what to predict."""

    panels: ClassVar = ("Arguments", TABLE, ONE_AD, SUGGESTIONS)
    needs: ClassVar = {
        "top": "!coverage",
        "seed": "calibrate coverage",  # which halves the ads
        "merge": "output",
        "spark": "output !image_vectors|text_vectors",
        **dict.fromkeys(
            ("model", "calibrate", "coverage", "image_vectors", "text_vectors"), "!exported"
        ),
    }

    model: str = model_option("use", SUGGESTIONS)
    exported: Path | None = option(
        None,
        "Folder written by adcat export, to be used instead of the workspace.",
        panel=SUGGESTIONS,
    )
    top: int = option(5, "Number of categories to suggest.", low=1, panel=SUGGESTIONS)
    output: Path | None = option(
        None,
        "File to write: .jsonl, .csv or .parquet; by default JSON lines on stdout. With --spark a "
        "folder of Parquet files.",
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
    resume it. With --spark each task predicts a share of the table, and what a lost machine had
    begun is predicted by another; the files of the folder have the rows in order.
    """
    if settings.output:
        (output_folder.check if settings.spark else check_format)(settings.output)
    beside = settings.output if settings.spark else None
    ads, images = table_here(settings.ads, settings.images, progress, beside)
    settings = dataclasses.replace(settings.resolved(), ads=ads, images=images)
    predictor = _predictor(workspace, settings, progress)
    source = settings.source(predictor.facts, progress)
    read = [column for m in predictor.model.modalities for column in READ[m]]
    if settings.spark:
        return _on_spark(workspace, predictor, settings, read, progress)

    def records(done: int = 0) -> Iterator[Record]:
        """Predicts the ads after the first `done`, then says what the predictions rest on."""
        availabilities, problems = Counter[str](), Counter[str]()
        ads = source.ads(done, read)
        for predictions in predictor.stream(
            ads, source.images, settings.top, source.ahead, settings.batch_size, source.separator
        ):
            for prediction in predictions:
                availabilities[prediction.availability] += 1
                problems.update(prediction.problems)
                yield prediction.record(predictor.facts.categories, settings.accept_above)
        _tell(availabilities, problems, progress)

    if settings.output is None:
        return (json.dumps(record, ensure_ascii=False) for record in records())
    return _save(settings, _about(predictor, settings), records)


def _predictor(workspace: Workspace, settings: Settings, progress: Progress) -> Predictor:
    if settings.exported:
        return load(settings.exported, engine_of=engine_on_drawn_photos(settings, None, progress))
    return _from_workspace(workspace, settings, progress)


def _from_workspace(workspace: Workspace, settings: Settings, progress: Progress) -> Predictor:
    """The model that is asked for, with what its validation ads say of it told."""
    model = chosen_model(workspace, settings.model, progress)
    promise = Promise(settings.calibrate, settings.coverage, settings.seed)
    vectors: Given = {"image": settings.image_vectors, "text": settings.text_vectors}
    engine_of = engine_on_drawn_photos(settings, workspace.root, progress)
    predictor = load_predictor(workspace, model, promise, vectors, engine_of)
    tell_calibration(workspace, predictor, promise, progress)
    if settings.accept_above is not None:
        tell_accepted(workspace, model, predictor.model, settings.accept_above, progress)
    return predictor


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
    del recorded["merge"], recorded["spark"]  # their result is that of one process
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


def _on_spark(
    workspace: Workspace,
    predictor: Predictor,
    settings: Settings,
    read: Sequence[str],
    progress: Progress,
) -> Report:
    """Predicts a table on a Spark cluster; all folders are ones that its machines share."""
    from adcat.spark.frames import Work, predict_rows

    about, path = _about(predictor, settings), (settings.output or Path()).resolve()
    if output_folder.is_done(path, about):
        return Report([f"{path} is up to date: same ads, model and settings"])
    exported = settings.exported and settings.exported.resolve()
    made = dataclasses.replace(
        settings, model=predictor.facts.model, exported=exported, accept_above=None
    )
    asked = settings.table(predictor.facts)
    table = dataclasses.replace(asked, read=read, path=asked.path.resolve())
    images = settings.images
    if not isinstance(images, str):
        images = images_folder(table.path, images)
    root, made_from = Workspace(workspace.root.resolve()), predictor.facts.made_from
    work = Work(
        functools.partial(_same_predictor, root, made, made_from),
        about.digest,
        images,
        settings.top,
        settings.accept_above,
        settings.batch_size,
        settings.image_separator or predictor.facts.image_separator,
    )
    with output_folder.writing(path, about) as folder, spark_session(settings.spark) as session:
        rows = NumberedRows.of(table, folder, progress)
        shards = all_shards_for(session.sparkContext.defaultParallelism)
        progress.say(f"predicting {rows.count:,} ads in {len(shards)} tasks")
        with failures_told():
            predict_rows(session, rows, shards, work).write.mode("append").parquet(str(folder))
        rows.clear()
        availabilities, problems = output_folder.counts(folder)
        if (found := availabilities.total()) != rows.count:
            raise AdcatError(f"Spark gave {found:,} predictions of {rows.count:,} ads; start again")
    _tell(availabilities, problems, progress)
    return Report([f"predictions: {path}"])


def _same_predictor(
    workspace: Workspace, settings: Settings, made_from: Mapping[str, str]
) -> Predictor:
    """The predictor that the driver has, in a worker."""
    predictor = _predictor(workspace, settings, Silent())
    if predictor.facts.made_from != made_from:
        raise StaleArtifactError(f"{predictor.facts.model} was made again meanwhile; start again")
    return predictor


def _tell(availabilities: Counter[str], problems: Counter[str], progress: Progress) -> None:
    progress.say(f"predictions based on: {_listed(availabilities)}")
    if problems:
        progress.say(f"problems: {_listed(problems)}")


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
