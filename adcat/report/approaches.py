"""Late fusion, early fusion and attention: the thesis' tables and curves of each approach."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adcat import thesis
from adcat.errors import expecting
from adcat.evaluation.measuring import Evaluation, Measured, best
from adcat.evaluation.models import APPROACHES, Approach
from adcat.plotting.charts import Chart, Panel, Series
from adcat.report.page import Block, Drawing, Section, Shown
from adcat.report.words import praise, share
from adcat.tables import Cell, Column, Table, percent

HISTORY = "history.csv"
METRICS = ("top1", "top5", "mean_recall", "mean_precision")
HEADINGS = ("top-1", "top-5", "mean recall", "mean precision")
EPOCHS = 2  # that the thesis draws of late fusion
SHARE = "policy_share"


class Numbers(NamedTuple):
    """The thesis' numbers of an approach's tables and figures."""

    metrics: str
    data_gain: str = ""
    accuracy: str = ""  # figure
    loss: str = ""  # figure


NUMBERS: Mapping[Approach, Numbers] = {
    "late fusion": Numbers("5.1", "5.3", "5.1", "5.2"),
    "early fusion": Numbers("5.4", "5.6", "5.3", "5.4"),
    "attention": Numbers("5.8"),
}
SHOWN: Mapping[Approach, str] = {
    "late fusion": "Late fusion combines the probabilities of both classifiers",
    "early fusion": "Early fusion combines the feature vectors of both classifiers",
    "attention": "Attention lets the text weigh what the network sees in the photo",
}


def approach_section(evaluation: Evaluation, approach: Approach, compare: bool) -> Section | None:
    """The tables and curves of an approach; None without a model of it."""
    models = evaluation.of(approach)
    if not models:
        return None
    praised = praise(best(models), evaluation.baseline)
    return Section(
        approach.replace(" ", "-"),
        approach.capitalize(),
        f"{SHOWN[approach]}. Of these models, {praised}.",
        [
            _metrics(evaluation, approach, compare),
            *_data_gain(evaluation, approach, compare),
            *_policy_shares(evaluation, approach),
            *_curves(models, approach),
        ],
    )


def _metrics(evaluation: Evaluation, approach: Approach, compare: bool) -> Shown:
    """Tables 5.1, 5.4 and 5.8."""
    number = NUMBERS[approach].metrics
    models = evaluation.of("baseline", approach)
    table = Table(
        f"Table {number}: {approach} and the baselines on the {evaluation.part} part",
        [Column("type"), Column("model"), *map(percent, HEADINGS)],
        [[model.kind.form, model.name, *metrics_of(model)] for model in models],
    )
    return Shown(table, f"table-{number}", beside=printed(models) if compare else ())


def metrics_of(model: Measured) -> list[Cell]:
    """The thesis' four metrics of a model."""
    return [getattr(model.scores, name) for name in METRICS]


def printed(models: Sequence[Measured]) -> list[tuple[Column, list[Cell]]]:
    """The thesis' own numbers of these models, as columns."""
    found = [thesis.results(model.kind.policy) for model in models]
    return [
        (percent(f"thesis: {heading}"), [row.get(name) for row in found])
        for name, heading in zip(METRICS, HEADINGS, strict=True)
    ]


def _data_gain(evaluation: Evaluation, approach: Approach, compare: bool) -> list[Shown]:
    """Tables 5.3 and 5.6: the gain from more training ads."""
    number = NUMBERS[approach].data_gain
    pairs = [
        (part, whole)
        for part in evaluation.models
        for whole in evaluation.of(approach)
        if part.kind.fraction < 1 and _but("fraction", part) == _but("fraction", whole)
    ]
    if not pairs:
        return []
    table = Table(
        f"Table {number}: the gain from more training ads, top-1 on the {evaluation.part} part",
        [
            *(Column("model"), Column("share of the ads", "{:.0%}"), percent("with that share")),
            *(percent("with all"), Column("gain", "{:+.2%}")),
        ],
        [
            [whole.name, part.kind.fraction, part.scores.top1, whole.scores.top1,
             whole.scores.top1 - part.scores.top1]
            for part, whole in pairs
        ],
    )  # fmt: skip
    thesis_gains = [thesis.data_gain(whole.kind.policy) for _, whole in pairs]
    names = {"part": "thesis: with 10%", "whole": "thesis: with all", "gain": "thesis: gain"}
    beside = [
        (Column(heading, "{:+.2%}" if name == "gain" else "{:.2%}"),
         [row.get(name) for row in thesis_gains])
        for name, heading in names.items()
    ]  # fmt: skip
    return [Shown(table, f"table-{number}", beside=beside if compare else ())]


def _policy_shares(evaluation: Evaluation, approach: Approach) -> list[Shown]:
    """What other shares of the validation ads to learn from give, as section 6.2 proposes."""
    learned = [m for m in evaluation.of(approach) if m.kind.settings.get("fit_on") == "validation"]
    found = [
        (model.kind.policy, model.kind.settings[SHARE], model)
        for model in learned
        if any(
            _but(SHARE, model) == _but(SHARE, other)
            and model.kind.settings[SHARE] != other.kind.settings[SHARE]
            for other in learned
        )
    ]
    if not found:
        return []
    table = Table(
        f"Networks by their share of the validation ads, on the {evaluation.part} part",
        [
            *(Column("model"), Column("share of the validation ads", "{:.0%}")),
            *(Column("ads learned from", "{:,}"), *map(percent, HEADINGS)),
        ],
        [
            [model.name, part, model.kind.ads, *metrics_of(model)]
            for _, part, model in sorted(found, key=lambda row: row[:2])
        ],
    )
    note = "The rest of the validation ads is for early stopping, which keeps the best weights."
    return [Shown(table, f"policy-shares-{approach.replace(' ', '-')}", note)]


def _but(name: str, model: Measured) -> tuple[str, dict[str, Any]]:
    """What two trainings have in common which differ only in this setting."""
    left_out = (name, "curve_every")
    settings = {name: v for name, v in model.kind.settings.items() if name not in left_out}
    return model.kind.policy, settings


def _curves(models: Sequence[Measured], approach: Approach) -> list[Block]:
    """Figures 5.1 to 5.4: accuracy and loss while a network learns."""
    numbers = NUMBERS[approach]
    if not numbers.accuracy:
        return []
    histories = {model.name: learning_curve(model) for model in models}
    histories = {name: points for name, points in histories.items() if points}
    if not histories:
        return []

    def drawing(number: str, column: str, label: str, scale: float) -> Drawing:
        series = [
            Series(name, [x for x, _ in points], [scale * point[column] for _, point in points])
            for name, points in histories.items()
        ]
        ends = "; ".join(f"{one.name} ends at {one.y[-1]:.3g}" for one in series)
        return Drawing(
            Chart([Panel(series)], "epochs", label),
            f"figure-{number}",
            f"Figure {number}: {label} of {approach} networks as they learn",
            f"Line chart of {label} over epochs: {ends}.",
        )

    return [
        drawing(numbers.accuracy, "validation_top1", "validation accuracy (%)", 100),
        drawing(numbers.loss, "validation_loss", "validation loss (nats per ad)", 1),
    ]


def learning_curve(model: Measured) -> list[tuple[float, Mapping[str, float]]]:
    """A network's history, each point with the epochs passed by then.

    That of a late network ends with the thesis' first epochs where points were taken there, as
    with many ads.
    """
    path = model.source.folder / HISTORY
    if not path.exists():
        return []
    with expecting(path, "history"), path.open(newline="", encoding="utf-8") as file:
        points = [{name: float(v) for name, v in row.items()} for row in csv.DictReader(file)]
        steps_per_epoch = points[-1]["step"] / points[-1]["epoch"]
    first = [point for point in points if point["epoch"] <= EPOCHS]
    is_cut = model.kind.approach == "late fusion" and any(point["epoch"] for point in first)
    shown = first if is_cut else points
    return [(point["step"] / steps_per_epoch, point) for point in shown]


def best_section(evaluation: Evaluation, compare: bool) -> Section:
    """Table 5.10: the best of each approach, chosen on the validation ads."""
    rows = evaluation.of("baseline")
    for approach in APPROACHES[1:]:
        models = evaluation.of(approach)
        if models:
            found = [best(models), *sorted(models, key=lambda model: model.name)]
            rows += dict.fromkeys([found[0], max(found, key=lambda model: model.validation_top5)])
    rows.sort(key=evaluation.models.index)
    table = Table(
        f"Table 5.10: the best of each approach on the {evaluation.part} part",
        [Column("approach"), Column("model"), *map(percent, HEADINGS[:2])],
        [[model.kind.approach, model.name, model.scores.top1, model.scores.top5] for model in rows],
    )
    note = (
        "Of each approach: the model that would be chosen among its models, and the one with the "
        "best top-5 on the validation ads."
    )
    chosen = evaluation.chosen
    return Section(
        "best",
        "Which approach is best?",
        f"The best model, chosen on {evaluation.choice.in_words}, is {chosen.name} "
        f"({chosen.kind.approach}); its first suggestion is right for "
        f"{share(chosen.scores.top1)} of the ads and one of its "
        f"first five for {share(chosen.scores.top5)}.",
        [Shown(table, "table-5.10", note, printed(rows)[:2] if compare else ())],
    )
