"""How models fare with ads that lack their text or their photo."""

from adcat.evaluation.measuring import Evaluation
from adcat.report.page import Section, Shown
from adcat.report.words import many, share
from adcat.tables import Column, Table, percent
from adcat.types import IN_WORDS


def availability_section(evaluation: Evaluation) -> Section:
    """Every model's numbers by what an ad has."""
    chosen = evaluation.chosen
    found = [
        f"{share(chosen.by_availability[availability].top1)} of the "
        f"{many(ads, 'ad')} with {IN_WORDS[availability]}"
        for availability, ads in evaluation.ads_by_availability.items()
    ]
    return Section(
        "kinds",
        "What if text or photo is missing?",
        f"{chosen.name} is right for {', for '.join(found)}.",
        [Shown(top1_by_availability(evaluation)), Shown(kinds_table(evaluation), "kinds", _NOTE)],
    )


_NOTE = (
    "A model that reads both answers an ad that lacks one by what there is. One that cannot read "
    "an ad at all answers with the categories' shares of the training ads, so that every model is "
    "measured on the same ads."
)


def top1_by_availability(evaluation: Evaluation) -> Table:
    """Top-1 of every model, with a column for each kind of ad."""
    availabilities = evaluation.ads_by_availability
    return Table(
        f"Top-1 by what an ad has, {evaluation.part} part",
        [
            Column("model"),
            *(
                percent(f"{IN_WORDS[availability]} ({many(ads, 'ad')})")
                for availability, ads in availabilities.items()
            ),
        ],
        [
            [
                model.name,
                *(model.by_availability[availability].top1 for availability in availabilities),
            ]
            for model in evaluation.models
        ],
    )


def kinds_table(evaluation: Evaluation) -> Table:
    """Every number of every model for each kind of ad."""
    rows = [
        [
            *(IN_WORDS[availability], ads, model.name, scores.top1, scores.top5),
            *(scores.mean_recall, scores.mean_precision, scores.categories_scored),
        ]
        for availability, ads in evaluation.ads_by_availability.items()
        for model in evaluation.models
        for scores in [model.by_availability[availability]]
    ]
    return Table(
        f"Models by what an ad has, {evaluation.part} part",
        [
            *(Column("ads with"), Column("ads", "{:,}"), Column("model")),
            *map(percent, ("top-1", "top-5", "mean recall", "mean precision")),
            Column("categories scored"),
        ],
        rows,
    )
