"""Where the errors are: small categories, and confused categories."""

import dataclasses
from pathlib import Path

import numpy as np

from adcat.data.splitting import class_counts
from adcat.errors import expecting
from adcat.evaluation.confusion import ConfusedPair, SizeClass, most_confused, size_classes
from adcat.evaluation.measuring import Evaluation
from adcat.evaluation.significance import fisher
from adcat.report.comparison import category_rows
from adcat.report.embedded_images import ReadShown, cards
from adcat.report.page import Block, Gallery, Picture, Section, Shown, drawn
from adcat.report.words import CHANCE, many, share
from adcat.tables import Cell, Column, Table, percent
from adcat.types import PARTS

PAIRS = 10  # of confused categories in the table
ILLUSTRATED = 5  # of them, with ads
EXAMPLES = 4  # ads of each


def size_section(evaluation: Evaluation) -> Section:
    """Accuracy by the size of the true category."""
    classes = size_classes(evaluation.training_ads)
    models = evaluation.headline
    rows: list[list[Cell]] = []
    for one in classes:
        ads = int(models[0].counts.ads[one.categories].sum())
        hits = [int(model.counts.correct[one.categories].sum()) for model in models]
        shares = [hit / ads if ads else None for hit in hits]
        rows.append([_in_words(one), len(one.categories), ads, *shares])
    table = Table(
        f"Top-1 by size of the true category on the {evaluation.part} part",
        [
            Column("training ads of the category"),
            *(Column("categories", "{:,}"), Column("ads", "{:,}")),
            *(percent(model.name) for model in models),
        ],
        rows,
    )
    conclusion = _size_conclusion(evaluation, classes)
    return Section("size", "Do small categories suffer?", conclusion, [Shown(table, "size")])


def _in_words(one: SizeClass) -> str:
    if one.high is None:
        return f"{one.low:,} or more"
    return f"{one.low:,}" if one.low == one.high else f"{one.low:,} to {one.high:,}"


def _size_conclusion(evaluation: Evaluation, classes: list[SizeClass]) -> str:
    counts, name = evaluation.chosen.counts, evaluation.chosen.name
    found = [
        (one, int(counts.correct[one.categories].sum()), int(ads))
        for one in classes
        if (ads := counts.ads[one.categories].sum())
    ]
    (small, low, few), (large, high, more) = found[0], found[-1]
    if small is large:
        return f"All categories have about as many training ads ({_in_words(small)} each)."
    if fisher(low, few, high, more) >= CHANCE:
        verdict = "chance alone could explain the difference"
    elif low / few < high / more:
        verdict = "small categories need more ads, or human review"
    else:
        verdict = "small categories do no worse"
    return (
        f"In categories with {_in_words(small)} training ads {name} is right for "
        f"{share(low / few)} of {many(few, 'ad')}, in those with {_in_words(large)} for "
        f"{share(high / more)} of {many(more, 'ad')}: {verdict}."
    )


def confusion_section(evaluation: Evaluation, read: ReadShown) -> Section:
    """The pairs of categories that the chosen model confuses, with ads."""
    found = evaluation.chosen.ad_results
    pairs = most_confused(found.labels, found.predicted, found.confidence, PAIRS)
    wrong = int((~found.correct).sum())
    names, heading = evaluation.categories, "Which categories are confused?"
    if not pairs:
        conclusion = f"{evaluation.chosen.name} makes no error on these ads."
        return Section("confusion", heading, conclusion, [])
    first, all_of_them = len(pairs[0].rows), sum(len(pair.rows) for pair in pairs)
    conclusion = f"{evaluation.chosen.name} makes {many(wrong, 'error')}, "
    if first == 1:
        conclusion += "no two between the same categories, so no single cause explains them."
    else:
        conclusion += (
            f"{first:,} of them between {names[pairs[0].first]} and {names[pairs[0].second]}, and "
            f"{share(all_of_them / wrong)} between the {many(len(pairs), 'pair')} of categories "
            "below: check whether these categories can be told apart at all."
        )
    table = Table(
        f"Categories that {evaluation.chosen.name} confuses, {evaluation.part} part",
        [
            *(Column("category"), Column("other category")),
            *(Column("taken for the other", "{:,}"), Column("the other taken for it", "{:,}")),
        ],
        [
            [names[pair.first], names[pair.second], pair.first_as_second, pair.second_as_first]
            for pair in pairs
        ],
    )
    gallery = _examples(evaluation, read, pairs[:ILLUSTRATED])
    return Section("confusion", heading, conclusion, [Shown(table, "confusion"), gallery])


def _examples(evaluation: Evaluation, read: ReadShown, pairs: list[ConfusedPair]) -> Gallery:
    chosen, names = evaluation.chosen, evaluation.categories
    probs = {chosen.name: chosen.source.probs(evaluation.part)}
    rows_of = [pair.rows[:EXAMPLES].tolist() for pair in pairs]
    wanted = {row: probs for rows in rows_of for row in rows}
    made = cards(read, names, wanted)
    shown = [
        (f"{names[pair.first]} and {names[pair.second]}", [made[row] for row in rows])
        for pair, rows in zip(pairs, rows_of, strict=True)
    ]
    return Gallery("Its most confident errors", shown, is_open=True)


def data_section(evaluation: Evaluation, distribution: Path) -> Section:
    """Table A.1 and Figure 4.1, and the chosen model's numbers in every category.

    Args:
      evaluation: the models.
      distribution: Figure 4.1 as `split` has drawn it, where it is there.
    """
    names, chosen = evaluation.categories, evaluation.chosen
    rows = list(category_rows(evaluation, chosen))
    missed = sum(bool(ads) and not correct for _, ads, _, correct, *_ in rows)
    table = Table(
        f"{chosen.name} by category on the {evaluation.part} part",
        [
            Column("category"),
            *(Column(heading, "{:,}") for heading in ("ads", "predicted", "correct")),
            *map(percent, ("recall", "precision")),
        ],
        rows,
    )
    counts = category_counts(evaluation)
    blocks: list[Block] = [Shown(table), Shown(counts, "table-A.1")]
    largest = counts.rows[0]
    if distribution.exists():
        with expecting(distribution, "figure"):
            svg = distribution.read_text("utf-8")
        caption = "Figure 4.1: shares of the categories by rank, and their sum"
        blocks.append(Picture(drawn(svg), caption, _alt(counts)))
    found = f"no ad at all of {many(missed, 'category')}" if missed else "ads of every category"
    conclusion = (
        f"The largest of {many(len(names), 'category')}, {largest[1]}, has {largest[3]:.1f}% of "
        f"the ads; in the {evaluation.part} part {chosen.name} finds {found}."
    )
    return Section("categories", "How does each category fare?", conclusion, blocks)


def category_counts(evaluation: Evaluation) -> Table:
    """Table A.1: ads of each category, by part."""
    of_parts = [evaluation.split.labels[part] for part in PARTS]
    parts = np.repeat(np.arange(len(PARTS)), [len(labels) for labels in of_parts])
    table = class_counts(np.concatenate(of_parts), parts, list(evaluation.categories))
    return dataclasses.replace(table, title="Table A.1: ads of each category")


def _alt(counts: Table) -> str:
    half = 0.0
    for rank, _, _, percentage, *_ in counts.rows:
        half += float(percentage or 0)
        if half >= 50:
            largest = f"The {rank} largest of {len(counts.rows)} categories"
            return f"{largest} hold {half:.0f}% of the ads."
    return ""
