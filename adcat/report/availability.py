"""The models' metrics by the ads' availability."""

from adcat.evaluation.measuring import Evaluation
from adcat.report.page import Section, Shown
from adcat.report.words import many, share
from adcat.tables import Column, Table, percent
from adcat.types import IN_WORDS

NOTE = (
    "A model of both modalities predicts an ad that lacks one from the other. A model that cannot "
    "read an ad predicts the categories' shares of the training ads, so that every model is "
    "measured on the same ads."
)


def availability_section(evaluation: Evaluation) -> Section:
    """Every model's metrics by availability."""
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
        [Shown(top1_by_availability(evaluation)), Shown(kinds_table(evaluation), "kinds", NOTE)],
    )


def top1_by_availability(evaluation: Evaluation) -> Table:
    """Top-1 of every model, with a column for each availability."""
    found = evaluation.ads_by_availability
    headings = [
        f"{IN_WORDS[availability]} ({many(ads, 'ad')})" for availability, ads in found.items()
    ]
    return Table(
        f"Top-1 by available modality, {evaluation.part} part",
        [Column("model"), *map(percent, headings)],
        [
            [model.name, *(model.by_availability[availability].top1 for availability in found)]
            for model in evaluation.models
        ],
    )


def kinds_table(evaluation: Evaluation) -> Table:
    """Every metric of every model for each availability."""
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
        f"Models by available modality, {evaluation.part} part",
        [
            *(Column("ads with"), Column("ads", "{:,}"), Column("model")),
            *map(percent, ("top-1", "top-5", "mean recall", "mean precision")),
            Column("categories scored"),
        ],
        rows,
    )
