"""The effects of the thesis beside those of a run."""

import dataclasses
from collections.abc import Mapping, Sequence

from adcat import thesis
from adcat.evaluation.error_groups import count, recovered
from adcat.evaluation.measuring import Evaluation, Measured
from adcat.evaluation.models import APPROACHES, Training
from adcat.report.approaches import NUMBERS
from adcat.report.page import Section, Shown
from adcat.report.words import many
from adcat.tables import Column, Table, percent

EFFECTS, MODELS = "effects", "against-thesis"
EARLY = ("concat", "pool", "pool-aux")
IMAGE_GROUP, NEITHER = "image_correct_text_incorrect", "both_incorrect"


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """A difference that the thesis found, there and here, as fractions."""

    words: str
    source: str
    models: Sequence[str]  # between which it is, by name
    thesis: float
    here: float

    @property
    def same_direction(self) -> bool:
        """Whether it has the same sign here."""
        return self.here * self.thesis > 0


def thesis_section(evaluation: Evaluation, trainings: Mapping[str, Training]) -> Section:
    """The direction and size of each effect, side by side.

    Args:
      evaluation: the models.
      trainings: how each of them was trained, by name.
    """
    found = effects(evaluation)
    same = sum(effect.same_direction for effect in found)
    have = "has" if same == 1 else "have"
    here = many(int(evaluation.training_ads.sum()), "ad")
    conclusion = (
        f"{same:,} of {many(len(found), 'effect')} of the thesis {have} the same sign here. The "
        "thesis evaluated on 179,201 Swedish ads in 193 categories, after training on 646,187; "
        f"here models learned from {here}: compare signs before sizes."
        if found
        else "Nothing to compare: no model here is in the thesis, or a baseline is missing."
    )
    points = "{:+.2%}"
    table = Table(
        "Effects of the thesis, there and here",
        [
            *(Column("effect"), Column("thesis has it in")),
            *(Column("thesis", points), Column("here", points), Column("same direction")),
            Column("settings that differ"),
        ],
        [
            [
                *(one.words, one.source, one.thesis, one.here),
                "yes" if one.same_direction else "no",
                ", ".join(f"{name}: {len(trainings[name].differing)}" for name in one.models),
            ]
            for one in found
        ],
    )
    note = (
        "Differences in percentage points; of an error group, relative to its ads. “Which "
        "differences are significant?” tests those of these models. The next table names the "
        "settings that differ."
    )
    shown = [Shown(table, EFFECTS, note)] if found else []
    blocks = [*shown, *_models(evaluation, trainings)]
    return Section("thesis", "Are the effects of the thesis reproduced?", conclusion, blocks)


def _models(evaluation: Evaluation, trainings: Mapping[str, Training]) -> list[Shown]:
    """Every model that the thesis has: its accuracy and training, there and here."""
    models = [m for m in evaluation.of(*APPROACHES) if thesis.results(m.kind.policy)]
    table = Table(
        "Models of the thesis, there and here",
        [
            *(Column("model"), percent("thesis: top-1"), percent("top-1")),
            *(Column("settings that differ"), Column("thesis: training top-1")),
            *(percent("training top-1"), Column("thesis: training time")),
        ],
        [
            [
                *(model.name, thesis.results(model.kind.policy)["top1"], model.scores.top1),
                ", ".join(trainings[model.name].differing) or "none",
                thesis.training(model.kind.policy).get("train_top1"),
                trainings[model.name].top1,
                thesis.training(model.kind.policy).get("time"),
            ]
            for model in models
        ],
    )
    minutes = [trainings[model.name].seconds / 60 for model in models]
    note = (
        "Settings that the thesis states and this model has otherwise; a model that combines "
        "others also depends on theirs. Training top-1: on the ads that were learned from, at the "
        "stop. Times: here of the whole command, folds and a search included; there of the "
        "training, on one K80, of the text on 4 virtual CPUs. Where the thesis prints a number "
        f"twice, these differ: {'; '.join(thesis.contradictions())}."
    )
    beside = [(Column("training time (min)", "{:,.1f}"), minutes)]  # in no file: never twice alike
    return [Shown(table, MODELS, note, beside)] if models else []


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
            (model.name, text.name),
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
            (models[one].name, models[other].name),
            thesis.recovered(one)[group] - thesis.recovered(other)[group],
            share(one, group) - share(other, group),
        )
        for one, other, group, source in wanted
        if {one, other} <= set(models) and sizes[group]
    ]
