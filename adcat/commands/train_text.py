"""Trains the text classifier."""

import contextlib
import dataclasses
import functools
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.data.splitting import folds, folds_for
from adcat.data.text_cleaning import Reading
from adcat.errors import BadInputError
from adcat.files import create_array, sha256
from adcat.learning.hyperparameter_search import (
    NOT_OF_THE_RESULT,
    Trial,
    drawn_from,
    search,
)
from adcat.parallel.tasks import ALONE, Workers
from adcat.parallel.workers import workers
from adcat.progress import Progress, Silent
from adcat.settings import flag
from adcat.tables import Column, Report, Table, percent, write_table
from adcat.text import registry as models
from adcat.text.corpus import Corpus, TextFacts, measure, sample, subset
from adcat.text.noise import with_noise
from adcat.text.options import Settings
from adcat.text.search_space import space
from adcat.types import Labels, Probs
from adcat.workspace.ads import (
    iterate_ads,
    read_ads,
    read_categories,
    read_groups,
    read_labels,
    read_modalities,
)
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import OUT_OF_FOLD, OUT_OF_FOLD_TRAIN_PROBS, TRAIN_PROBS, TUNED_ON
from adcat.workspace.staging import Staging

TEXT = ("title", "description")
HAVING = ("text",)  # what an ad must have to be read
NOTHING = "no ad has any text: there is nothing to train, and no other command needs it"
MAX_SCORED = 20_000  # training ads on which the training accuracy is measured
MAX_TUNED = 100_000  # training ads that a search learns from by default


def train_text(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Train the text classifier.

    Learns from the titles and descriptions of the training ads. If the model's top-1 accuracy on
    them is far higher than on the validation ads, a policy fitted on its answers to training ads
    would trust the text too much. With --folds it is fitted on answers of models that had not seen
    these ads; the thesis' remedy is --augment-noise 0.2.

    --tune searches for the settings that are best on the validation ads, then trains with them.
    fasttext: learning rate (0.01 to 2), dim (10 to 200), epochs (1 to 50), minn, maxn. tfidf: C
    (0.1 to 1000), min-df (1 to 10). cnn: optimizer, learning rate (0.0001 to 0.1), widths, filters.
    Epochs that were found on a share of the ads (--tune-fraction) become fewer on all of them, so
    that as many texts are seen. Run an interrupted search again to resume it.
    """
    split, module = workspace.split, models.TEXT_MODELS[settings.model]
    split.check()
    target = workspace.classifier("text", settings.name).model
    if "text" not in read_modalities(split):
        return Report([NOTHING])
    corpus = _corpus(split, settings.reading, progress)
    facts = measure(corpus)
    if settings.fields != "both" and not facts.words:
        raise BadInputError(f"no training ad has a {settings.fields}; leave --fields out")
    given, settings = settings, module.resolve(settings, facts)
    settings = dataclasses.replace(settings, folds=folds_for(given.folds, _groups(split)))
    if settings.tune and settings.tune_fraction is None:
        share = min(1.0, MAX_TUNED / max(1, facts.ads))
        settings = dataclasses.replace(settings, tune_fraction=share)
    _tell(corpus, given, settings, progress)
    recorded, notes = _recorded(settings)
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        trials = ALONE
        if settings.tune:
            trials = stack.enter_context(workers(settings.jobs, settings.spark))
        recorded |= drawn_from(settings, trials.at_once)
        resume = settings.tune > 0
        staging = stack.enter_context(target.write(recorded, [split], resume=resume))
        if settings.tune:
            best = _search(workspace, facts, settings, staging, trials, progress)
            lines.append(f"best of {settings.tune} trials: {_options(best.settings)}")
            tuned = _carried_over(best.settings, settings.tune_fraction)
            if tuned != best.settings:
                share, epochs = f"{settings.tune_fraction:.3g}", tuned["epochs"]
                lines.append(f"found on {share} of the ads; --epochs {epochs} sees as many texts")
            settings = module.resolve(dataclasses.replace(settings, **tuned), facts)
            notes["tuned"] = tuned
        started = time.monotonic()
        corpus = _noisy(corpus, facts, settings)
        model = module.train(corpus, settings, settings.seed, staging.checkpoints)
        lines.append(f"trained in {time.monotonic() - started:,.0f} s")
        models.save(staging.folder, settings.model, model, read_categories(split), settings.reading)
        out_of_fold = _out_of_fold(split, facts, settings, staging, progress)
        table = _score(split, model, settings, out_of_fold)
        write_table(staging.folder, "history", table)
        tuned_on = "validation" if settings.tune else "nothing"
        staging.notes.update({**notes, "fitted_on": "train", TUNED_ON: tuned_on})
    return Report(lines, [table])


def _noisy(corpus: Corpus, facts: TextFacts, settings: Settings) -> Corpus:
    """The corpus with its noisy copies, if there are to be any."""
    if not settings.augment_noise:
        return corpus
    return with_noise(corpus, settings.augment_noise, facts.alphabet, settings.seed)


def _out_of_fold(
    split: Artifact, facts: TextFacts, settings: Settings, staging: Staging, progress: Progress
) -> Probs | None:
    """Writes the training ads' probabilities by models that did not see them, if there are folds.

    Returns:
      The probabilities, memory-mapped: [training ads with a text, categories]. None, too, where the
      ads outside a fold are too few to learn from.
    """
    if not settings.folds:
        return None
    corpus, groups = _corpus(split, settings.reading, Silent()), _groups(split)
    path, module = staging.folder / OUT_OF_FOLD_TRAIN_PROBS, models.TEXT_MODELS[settings.model]
    probs = create_array(path, len(groups), corpus.categories)
    with progress.task("training without each fold", settings.folds, "folds") as task:
        for seen, left_out in folds(groups, settings.folds, settings.seed):
            ads = _noisy(subset(corpus, seen), facts, settings)
            try:
                model = module.train(ads, settings, settings.seed, staging.checkpoints)
            except BadInputError as error:
                progress.say(f"warning: no out-of-fold probabilities: without a fold, {error}")
                path.unlink()
                return None
            blocks = subset(corpus, left_out).texts()
            probs[left_out] = np.concatenate([model.features(texts)[1] for texts in blocks])
            task.advance(1)
    staging.notes[TRAIN_PROBS] = OUT_OF_FOLD
    return probs


def _search(
    workspace: Workspace,
    facts: TextFacts,
    settings: Settings,
    staging: Staging,
    trials: Workers,
    progress: Progress,
) -> Trial:
    """Finds the settings that are best on the validation ads after training on a share of ads."""
    if not len(read_labels(workspace.split, "validation", HAVING)):
        raise BadInputError(
            "--tune needs validation ads, and the split has none; run adcat split again"
        )
    checkpoints = staging.checkpoints.resolve()
    score = functools.partial(_score_of, workspace.root.resolve(), facts, settings, checkpoints)
    log = staging.folder / "trials.jsonl"
    return search(space(settings.model), score, settings, settings.seed, log, progress, trials)


def _score_of(
    root: Path,
    facts: TextFacts,
    settings: Settings,
    checkpoints: Path,
    point: Mapping[str, Any],
    seed: int,
) -> float:
    """The validation top-1 of a trial, in any process."""
    split, module = Workspace(root).split, models.TEXT_MODELS[settings.model]
    corpus = _corpus(split, settings.reading, Silent())
    ads = sample(corpus, settings.tune_fraction, settings.seed)
    chosen = module.resolve(dataclasses.replace(settings, **point), facts)
    with tempfile.TemporaryDirectory(dir=checkpoints) as folder:
        model = module.train(_noisy(ads, facts, settings), chosen, seed, Path(folder))
        return float(_correct_validation(split, model, settings.reading).mean())


def _carried_over(found: Mapping[str, Any], share: float) -> Mapping[str, Any]:
    """What was found on a share of the ads, for all of them: as many texts are seen."""
    if "epochs" not in found:
        return found
    return {**found, "epochs": max(1, round(share * found["epochs"]))}


def _corpus(split: Artifact, reading: Reading, progress: Progress) -> Corpus:
    """The training ads that have a text."""
    labels = read_labels(split, "train", HAVING)

    def texts() -> Iterator[list[str]]:
        with progress.task("reading the training ads", len(labels), "ads") as task:
            for chunk in iterate_ads(split, "train", TEXT, having=HAVING):
                yield _texts(chunk.to_pylist(), reading)
                task.advance(chunk.num_rows)

    return Corpus(texts, labels, len(read_categories(split)))


def _groups(split: Artifact) -> NDArray[np.int64]:
    """The groups of the training ads that have a text: [n]."""
    return read_groups(split, "train", HAVING)


def _texts(ads: Iterable[dict[str, Any]], reading: Reading) -> list[str]:
    return [reading.text(ad["title"], ad["description"]) for ad in ads]


def _recorded(settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands under the digest: a file's name and content, not where it lay."""
    path, recorded = settings.pretrained_vectors, {**dataclasses.asdict(settings), "name": ""}
    for name in NOT_OF_THE_RESULT:
        del recorded[name]
    if path is None:
        return recorded, {}
    recorded["pretrained_vectors"] = Path(path.name)
    return recorded, {"pretrained_vectors_sha256": sha256(path)}


def _tell(corpus: Corpus, given: Settings, resolved: Settings, progress: Progress) -> None:
    """Says what follows from the data."""
    names = [field.name for field in dataclasses.fields(resolved)]
    chosen = {
        name: getattr(resolved, name)
        for name in names
        if getattr(given, name) is None and getattr(resolved, name) is not None
    }
    ads = f"training {resolved.model} on {len(corpus.labels):,} ads"
    progress.say(f"{ads} {_options(chosen)}".rstrip())
    unseen = np.count_nonzero(corpus.counts == 0)
    if unseen:
        progress.say(f"{unseen} of {corpus.categories} categories have no ads to train on")


def _options(settings: Mapping[str, Any]) -> str:
    """Settings as they are typed."""
    return " ".join(f"{flag(name)} {value}" for name, value in settings.items())


def _score(
    split: Artifact, model: models.TextModel, settings: Settings, out_of_fold: Probs | None
) -> Table:
    """Top-1 accuracy on training ads, at random at most so many, and on the validation ads."""
    labels = read_labels(split, "train", HAVING)
    random = np.random.default_rng(settings.seed)
    rows = np.sort(random.permutation(len(labels))[:MAX_SCORED])
    ads = read_ads(split, "train", TEXT, rows.tolist(), HAVING)
    correct = {
        "train": _correct(model, [_texts(ads, settings.reading)], labels[rows]),
        "validation": _correct_validation(split, model, settings.reading),
    }
    if out_of_fold is not None:
        correct["train, out-of-fold"] = out_of_fold.argmax(axis=1) == labels
    cells = [(part, len(ads), float(ads.mean())) for part, ads in correct.items() if len(ads)]
    return Table("Text model", [Column("part"), Column("ads", "{:,}"), percent("top1")], cells)


def _correct_validation(split: Artifact, model: models.TextModel, reading: Reading) -> NDArray[Any]:
    chunks = iterate_ads(split, "validation", TEXT, having=HAVING)
    blocks = (_texts(chunk.to_pylist(), reading) for chunk in chunks)
    return _correct(model, blocks, read_labels(split, "validation", HAVING))


def _correct(model: models.TextModel, blocks: Iterable[list[str]], labels: Labels) -> NDArray[Any]:
    """Whether the prediction of each ad is right: [n]."""
    predicted = [model.features(texts)[1].argmax(axis=1) for texts in blocks]
    return np.concatenate([np.zeros(0, np.int64), *predicted]) == labels
