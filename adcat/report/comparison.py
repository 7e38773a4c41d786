"""Every model's metrics side by side, and which differences are significant."""

import itertools
from collections.abc import Iterator

import numpy as np

from adcat.evaluation.measuring import Evaluation, Measured
from adcat.evaluation.significance import PairedDifference, holm, mcnemar
from adcat.plotting.charts import Estimate, Ranking
from adcat.report.page import Drawing, Section, Shown
from adcat.report.words import CHANCE, many, praise, share
from adcat.tables import Cell, Column, Table, percent

CHANGE = "{:+.2%}"
P_VALUE = "{:.2g}"
APART = "no better than a part"


def overview_section(evaluation: Evaluation) -> Section:
    """Which model is chosen, and a picture of how accurate all are."""
    chosen, choice = evaluation.chosen, evaluation.choice
    found = praise(chosen, "" if chosen.name == evaluation.baseline else evaluation.baseline)
    conclusion = (
        f"{found}. It was chosen on {choice.in_words}, {many(choice.ads, 'ad')}: the simplest of "
        "the models that one standard error does not tell from the best."
    )
    if choice.not_told_apart:
        names = ", ".join(choice.not_told_apart)
        conclusion += f" Chance may explain how these differ from it there: {names}."
    return Section("overview", "Which model should be taken?", conclusion, [_ranking(evaluation)])


def _ranking(evaluation: Evaluation) -> Drawing:
    """Every model's top-1, best first; apart those that one of their parts equals or beats."""
    groups: dict[str, list[Estimate]] = {"": [], APART: []}
    for model in evaluation.models:
        numbers = [100 * number for number in (model.scores.top1, *model.interval)]
        estimate = Estimate(model.name, *numbers, is_marked=model is evaluation.chosen)
        groups[APART if model.no_better_than else ""].append(estimate)
    caption = (
        f"Top-1 on {many(evaluation.ads, 'ad')} with 95% intervals, best first; in bold, with a "
        f"diamond, the chosen model; the dashed line is {evaluation.baseline}'s."
    )
    if groups[APART]:
        caption += (
            f" Apart, in grey: models that are no more accurate on {evaluation.choice.in_words} "
            "than the best classifier that they combine."
        )
    tops = ", ".join(f"{model.name} {share(model.scores.top1)}" for model in evaluation.models)
    line = 100 * float(evaluation.baselines[evaluation.baseline].correct.mean())
    return Drawing(
        Ranking({heading: group for heading, group in groups.items() if group}, "top-1 (%)", line),
        "overview",
        caption,
        f"Top-1 of each model with its interval, best first: {tops}.",
    )


def models_section(evaluation: Evaluation) -> Section:
    """Every metric of every model."""
    found = [model.over_baseline for model in evaluation.models if model.over_baseline]
    told_apart = [one for one in found if one.p_value < CHANCE]
    better = sum(one.difference > 0 for one in told_apart)
    return Section(
        "models",
        "How good is each model?",
        f"Of {many(len(found), 'model')} compared with {evaluation.baseline}, {better:,} "
        f"{'is' if better == 1 else 'are'} better by more than chance and "
        f"{len(told_apart) - better:,} worse; the others cannot be told from it on these ads.",
        [
            Shown(models_table(evaluation), "models", _how_to_read(evaluation)),
            Shown(_glossary(evaluation)),
        ],
    )


def models_table(evaluation: Evaluation) -> Table:
    """Every metric of every model."""
    over = f"over {evaluation.baseline}"
    columns = [
        Column("model"),
        *map(percent, ("top-1", "top-1 low", "top-1 high", "top-5")),
        *map(percent, ("mean recall", "mean precision")),
        *(Column(heading, CHANGE) for heading in (over, f"{over} low", f"{over} high")),
        Column("p", P_VALUE),
    ]
    rows = [
        [
            *(measured.name, measured.scores.top1, *measured.interval, measured.scores.top5),
            *(measured.scores.mean_recall, measured.scores.mean_precision),
            *_difference_cells(measured.over_baseline),
        ]
        for measured in evaluation.models
    ]
    return Table(f"Models on the {evaluation.part} part", columns, rows)


def _difference_cells(difference: PairedDifference | None) -> list[Cell]:
    if difference is None:
        return [None] * 4
    return [difference.difference, *difference.interval, difference.p_value]


def _how_to_read(evaluation: Evaluation) -> str:
    return (
        "Top-1: the first suggestion is right; top-5: one of the first five is. Low and high "
        "bound a 95% interval. Mean recall and mean precision give every category the same "
        f"weight, however few ads it has. Over {evaluation.baseline}: the difference in top-1 on "
        f"the same ads, in percentage points ({evaluation.baseline} is {evaluation.reason}), and "
        "the p-value of McNemar's exact test."
    )


def _glossary(evaluation: Evaluation) -> Table:
    return Table(
        "What the models are",
        [Column("model"), Column("approach"), Column("how it decides")],
        [[model.name, model.kind.approach, model.kind.in_words] for model in evaluation.models],
    )


def pairs_section(evaluation: Evaluation) -> Section:
    """Which models differ significantly."""
    table = pairs_table(evaluation)
    differ = sum(float(row[-1] or 0) < CHANCE for row in table.rows)
    if not table.rows:
        conclusion = "There is only one model, so there is nothing to compare."
    elif differ:
        name = evaluation.chosen.name
        behind = sum(row[0] == name and float(row[-1] or 0) < CHANCE for row in table.rows)
        conclusion = (
            f"{differ:,} of {many(len(table.rows), 'pair')} of models differ by more than chance. "
            f"{name} is ahead of {behind:,} of {many(len(evaluation.models) - 1, 'other model')} "
            "by more than chance; the other pairs cannot be told apart on these ads."
        )
    else:
        conclusion = (
            f"On {many(evaluation.ads, 'ad')} no two models differ by more than chance: measure on "
            "more ads before preferring one."
        )
    note = (
        "Both models predict the same ads; only those that exactly one of them gets right count. "
        "p is from McNemar's exact test, with Holm's correction for the number of pairs. A "
        "single planned comparison, as above, needs no correction."
    )
    return Section(
        "differences",
        "Which differences are significant?",
        conclusion,
        [Shown(table, "pairs", note)],
    )


def pairs_table(evaluation: Evaluation) -> Table:
    """Each pair of models on the same ads, the better one first."""
    rows: list[list[Cell]] = []
    for one, other in itertools.combinations(evaluation.models, 2):
        gained = int(np.count_nonzero(one.ad_results.correct & ~other.ad_results.correct))
        lost = int(np.count_nonzero(other.ad_results.correct & ~one.ad_results.correct))
        difference = (gained - lost) / evaluation.ads
        rows.append([one.name, other.name, gained, lost, difference, mcnemar(gained, lost)])
    corrected = holm([float(row[-1] or 0) for row in rows])
    columns = [
        *(Column("better"), Column("worse")),
        *(Column(f"only the {which} is right", "{:,}") for which in ("better", "worse")),
        *(Column("difference", CHANGE), Column("p", P_VALUE), Column("p, corrected", P_VALUE)),
    ]
    rows = [[*row, p] for row, p in zip(rows, corrected, strict=True)]
    return Table(f"Pairs of models on the {evaluation.part} part", columns, rows)


def categories_table(evaluation: Evaluation) -> Table:
    """Recall and precision by category; a 0 in `predicted` explains a precision of 0."""
    columns = [Column("model"), Column("category"), Column("ads"), Column("predicted")]
    columns += [Column("correct"), percent("recall"), percent("precision")]
    rows = [
        [measured.name, name, *cells]
        for measured in evaluation.models
        for name, *cells in category_rows(evaluation, measured)
    ]
    return Table(f"Categories on the {evaluation.part} part", columns, rows)


def category_rows(evaluation: Evaluation, measured: Measured) -> Iterator[list[Cell]]:
    """Name, ads, predicted, correct, recall and precision of each category."""
    counts = measured.counts
    for c, name in enumerate(evaluation.categories):
        recall = float(counts.recall[c]) if counts.scored[c] else None
        numbers = (int(array[c]) for array in (counts.ads, counts.predicted, counts.correct))
        yield [name, *numbers, recall, float(counts.precision[c])]
