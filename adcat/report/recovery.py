"""Which ads text or image gets wrong, and which of them other models get right."""

import dataclasses
from collections.abc import Mapping, Sequence

from adcat import thesis
from adcat.evaluation.error_groups import (
    ERROR_GROUPS,
    SAMPLE,
    WRONG,
    Drawn,
    Groups,
    agreement_table,
    count,
    draw,
    in_words,
    misclassified_table,
    recovered,
    recovered_table,
)
from adcat.evaluation.measuring import Evaluation, Measured
from adcat.evaluation.models import Approach
from adcat.report.embedded_images import ReadShown, cards
from adcat.report.page import Block, Gallery, Remark, Section, Shown
from adcat.report.words import share
from adcat.tables import Cell, Column, Table, percent
from adcat.types import Part

RECOVERED: Mapping[Approach, str] = {  # the tables
    "late fusion": "5.2", "early fusion": "5.5", "attention": "5.9",
}  # fmt: skip


def recovered_tables(
    part: Part, models: Mapping[Approach, Mapping[str, Mapping[str, int]]], groups: Groups
) -> dict[str, Table]:
    """Tables 5.2, 5.5 and 5.9, by the names of their files; no table of an absent approach."""
    counts = count(groups)
    return {
        f"table-{number}": recovered_table(
            f"Table {number}: ads of each error group that {approach} gets right, {part} part",
            models[approach],
            counts,
        )
        for approach, number in RECOVERED.items()
        if models.get(approach)
    }


def in_short(table: Table) -> Table:
    """A table with a pair of columns for each error group, narrow enough for a terminal."""
    short = {
        in_words(group): f"{'both' if len(wrong) > 1 else wrong[0]}\nincorrect"
        for group, wrong in WRONG.items()
    }
    columns = [
        Column(
            "share" if "share of" in one.heading else short.get(one.heading, one.heading), one.form
        )
        for one in table.columns
    ]
    return dataclasses.replace(table, columns=columns)


def error_groups_section(
    evaluation: Evaluation, read: ReadShown, seed: int, compare: bool
) -> Section:
    """What the baselines get wrong, which models recover it, and examples."""
    heading = "What do text and image miss?"
    groups = evaluation.groups
    if groups is None:
        absent = "Error groups need both classifiers, and ads with text and photo."
        return Section("error-groups", heading, absent, [])
    part, names = evaluation.part, evaluation.categories
    agreement = agreement_table(part, count(groups))
    known = thesis.agreement()
    printed = [known.get(str(row[0]).replace(",", "")) for row in agreement.rows]
    blocks: list[Block] = [
        Shown(agreement, beside=[(percent("thesis"), printed)] if compare else ()),
        *_recovered(evaluation, groups, compare),
        Shown(misclassified_table(part, groups, evaluation.labels, names)),
        *_galleries(evaluation, read, groups, seed),
    ]
    return Section("error-groups", heading, _conclusion(evaluation, groups), blocks)


def _conclusion(evaluation: Evaluation, groups: Groups) -> str:
    counts = count(groups)
    only_text, only_image, neither = ERROR_GROUPS
    at_stake, whole = counts[only_image] + counts[only_text], sum(counts.values())
    ads = "ads" if whole == evaluation.ads else "ads that have both"
    text = (
        f"For {share(at_stake / whole)} of the {ads} only one of text and image is right: "
        f"that is what combining them can gain; for {share(counts[neither] / whole)} neither is "
        "right."
    )
    chosen = evaluation.chosen
    if chosen.kind.approach == "baseline":
        return text
    won = recovered(groups, chosen.ad_results.correct)
    return (
        f"{text} {chosen.name} gets {share_of(won, counts, only_image)} of the ads that only the "
        f"image gets right, keeps {share_of(won, counts, only_text)} of those that only the text "
        f"gets right, and finds {share_of(won, counts, neither)} of those that neither does."
    )


def share_of(ads: Mapping[str, int], counts: Mapping[str, int], group: str) -> str:
    """The share of an error group's ads; words where the group is empty."""
    return share(ads[group] / counts[group]) if counts[group] else "none (there are none)"


def _recovered(evaluation: Evaluation, groups: Groups, compare: bool) -> list[Shown]:
    found: dict[Approach, dict[str, Mapping[str, int]]] = {}
    for approach in RECOVERED:
        models = {model.name: model.ad_results.correct for model in evaluation.of(approach)}
        found[approach] = {name: recovered(groups, right) for name, right in models.items()}
    return [
        Shown(table, beside=_printed(evaluation.models, table) if compare else ())
        for table in recovered_tables(evaluation.part, found, groups).values()
    ]


def _printed(models: Sequence[Measured], table: Table) -> list[tuple[Column, list[Cell]]]:
    policies = {model.name: model.kind.policy for model in models}
    shares = [thesis.recovered(policies[str(row[0])]) for row in table.rows]
    return [
        (percent(f"thesis: {in_words(group)}"), [row.get(group) for row in shares])
        for group in ERROR_GROUPS
    ]


def _galleries(
    evaluation: Evaluation, read: ReadShown, groups: Groups, seed: int
) -> list[Gallery | Remark]:
    """Random ads of the categories with the most errors in each group (thesis, appendix A.2)."""
    size = min(SAMPLE, sum(count(groups).values()))
    return [
        _gallery(evaluation, read, group, categories)
        if categories
        else Remark(f"No ads to show with {in_words(group)}: none among {size:,} drawn.")
        for group, categories in draw(groups, evaluation.labels, seed).items()
    ]


def _gallery(
    evaluation: Evaluation, read: ReadShown, group: str, drawn: Sequence[Drawn]
) -> Gallery:
    models = [model for model in evaluation.models if model.name in WRONG[group]]
    probs = {model.name: model.source.probs(evaluation.part) for model in models}
    wanted = {row: probs for category in drawn for row in category.rows}
    made, names = cards(read, evaluation.categories, wanted), evaluation.categories
    rows = [(one.misclassified.heading(names), [made[row] for row in one.rows]) for one in drawn]
    return Gallery(f"Ads with {in_words(group)}", rows)
