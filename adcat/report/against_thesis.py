"""The effects of the thesis beside those of a run."""

import dataclasses

from adcat import thesis
from adcat.evaluation.error_groups import count, recovered
from adcat.evaluation.measuring import Evaluation, Measured
from adcat.evaluation.models import APPROACHES
from adcat.report.approaches import NUMBERS
from adcat.report.page import Section, Shown
from adcat.report.words import many
from adcat.tables import Column, Table

EFFECTS = "effects"
EARLY = ("concat", "pool", "pool-aux")
IMAGE_GROUP, NEITHER = "image_correct_text_incorrect", "both_incorrect"


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """A difference that the thesis found, there and here, as fractions."""

    words: str
    source: str
    thesis: float
    here: float

    @property
    def same_direction(self) -> bool:
        """Whether it has the same sign here."""
        return self.here * self.thesis > 0


def thesis_section(evaluation: Evaluation) -> Section:
    """The direction and size of each effect, side by side."""
    found = effects(evaluation)
    same = sum(effect.same_direction for effect in found)
    have = "has" if same == 1 else "have"
    conclusion = (
        f"{same:,} of {many(len(found), 'effect')} of the thesis {have} the same sign here. The "
        "thesis evaluated on 179,201 Swedish ads in 193 categories, after training on 717,605: "
        "compare signs before sizes."
        if found
        else "Nothing to compare: no model here is in the thesis, or a baseline is missing."
    )
    points = "{:+.2%}"
    table = Table(
        "Effects of the thesis, there and here",
        [
            *(Column("effect"), Column("thesis has it in")),
            *(Column("thesis", points), Column("here", points), Column("same direction")),
        ],
        [
            [one.words, one.source, one.thesis, one.here, "yes" if one.same_direction else "no"]
            for one in found
        ],
    )
    note = (
        "Differences in percentage points; of an error group, relative to its ads. “Which "
        "differences are significant?” tests those of these models."
    )
    shown = [Shown(table, EFFECTS, note)] if found else []
    return Section("thesis", "Are the effects of the thesis reproduced?", conclusion, shown)


def effects(evaluation: Evaluation) -> list[Effect]:
    """Every effect whose models exist here; a policy trained with several settings counts once."""
    by_name = sorted(evaluation.of(*APPROACHES), key=lambda model: model.name, reverse=True)
    models = {model.kind.policy: model for model in by_name}
    if not {"text", "image"} <= set(models):
        return []
    return [*_over_text(models), *_over_groups(evaluation, models)]


def _over_text(models: dict[str, Measured]) -> list[Effect]:
    """The gain of every fused model over text, in top-1."""
    text = models["text"]
    return [
        Effect(
            f"{policy} over text, top-1",
            f"Table {NUMBERS[approach].metrics}",
            thesis.results(policy)["top1"] - thesis.results("text")["top1"],
            model.scores.top1 - text.scores.top1,
        )
        for approach in APPROACHES[1:]
        for policy, model in models.items()
        if model.kind.approach == approach and thesis.results(policy)
    ]


def _over_groups(evaluation: Evaluation, models: dict[str, Measured]) -> list[Effect]:
    """The ads of an error group that one model recovers more of than another."""
    groups = evaluation.groups
    if groups is None:
        return []
    sizes = count(groups)

    def share(policy: str, group: str) -> float:
        return recovered(groups, models[policy].ad_results.correct)[group] / sizes[group]

    wanted = [
        ("nn-validation", "nn", IMAGE_GROUP, "Table 5.2"),
        *((early, "product-max", NEITHER, "Tables 5.2, 5.5") for early in EARLY),
        ("attend-c-wh", "product-max", NEITHER, "Tables 5.2, 5.9"),
    ]
    names = {IMAGE_GROUP: "ads only the image gets right", NEITHER: "ads neither gets right"}
    return [
        Effect(
            f"{one} over {other}, {names[group]}",
            source,
            thesis.recovered(one)[group] - thesis.recovered(other)[group],
            share(one, group) - share(other, group),
        )
        for one, other, group, source in wanted
        if {one, other} <= set(models) and sizes[group]
    ]
