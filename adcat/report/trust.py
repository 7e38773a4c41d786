"""Calibration: what confidence is worth, and how many ads can be categorised automatically."""

from collections.abc import Sequence

from adcat.evaluation.calibration import (
    Automation,
    Reliability,
    automate,
    automation_curve,
    reliability,
    threshold_for,
)
from adcat.evaluation.measuring import Evaluation, Measured
from adcat.plotting.charts import Chart, Panel, Series
from adcat.report.page import Drawing, Section, Shown
from adcat.report.words import many, points, share
from adcat.tables import Cell, Column, Table, percent

PRECISIONS = (0.9, 0.95, 0.98, 0.99)  # that a marketplace may ask for
DRAWN = 5  # ads from which on their accuracy is worth a point in a chart
ASKED = 0.95  # of them, the one that the conclusion is about
RELIABILITY = (
    "Expected calibration error: the ads are put into ten bins by confidence; the distance between "
    "mean confidence and accuracy in each bin is averaged over the ads. 0 is ideal."
)
AUTOMATION = (
    "The threshold is the lowest confidence from which on validation ads, counted with one right "
    "and one wrong ad more, reach the required precision; its effect is measured on the ads of "
    "this report. An accepted error is an accepted ad in a wrong category."
)


def reliability_section(evaluation: Evaluation) -> Section:
    """How far confidence and accuracy differ."""
    found = {
        model.name: reliability(model.ad_results.confidence, model.ad_results.correct)
        for model in evaluation.models
    }
    rows: list[list[Cell]] = []
    for model in evaluation.models:
        confidence, top1 = float(model.ad_results.confidence.mean()), model.scores.top1
        error = found[model.name].expected_calibration_error
        rows.append([model.name, confidence, top1, confidence - top1, error])
    table = Table(
        f"Confidence and accuracy on the {evaluation.part} part",
        [
            Column("model"),
            *map(percent, ("mean confidence", "top-1")),
            *(Column("overconfident by", "{:+.2%}"), percent("expected calibration error")),
        ],
        rows,
    )
    chosen = evaluation.chosen
    gap = float(chosen.ad_results.confidence.mean()) - chosen.scores.top1
    error = found[chosen.name].expected_calibration_error
    too = "overconfident" if gap > 0 else "underconfident"
    return Section(
        "reliability",
        "Can the confidence be trusted?",
        f"{chosen.name} is on average {points(gap)} {too}; accuracy differs from confidence by "
        f"{points(error)} averaged over ten bins of confidence (expected calibration error). "
        "Choose thresholds by measured precision, as above, not by confidence alone.",
        [Shown(table, "reliability", RELIABILITY), _reliability_chart(found)],
    )


def _reliability_chart(found: dict[str, Reliability]) -> Drawing:
    panels = [Panel([_percentages(one)], name) for name, one in found.items()]
    errors = {name: share(one.expected_calibration_error) for name, one in found.items()}
    distances = ", ".join(f"{name} {error}" for name, error in errors.items())
    return Drawing(
        Chart(panels, "mean confidence of the ads in a bin (%)", "accuracy (%)", True),
        "reliability",
        "Reliability: on the grey line confidence equals accuracy, below it a model is "
        f"overconfident; bins of fewer than {DRAWN} ads are not drawn",
        f"Accuracy against confidence, one panel for each model. Calibration error: {distances}.",
    )


def _percentages(found: Reliability) -> Series:
    drawn = found.ads >= DRAWN
    confidence, accuracy = 100 * found.confidence[drawn], 100 * found.accuracy[drawn]
    return Series("", confidence.tolist(), accuracy.tolist())


def automation_section(evaluation: Evaluation) -> Section:
    """How many ads can be categorised without human review, at which precision."""
    chosen = evaluation.chosen
    first = [
        model for model in evaluation.models if model is chosen or model.kind.approach == "baseline"
    ]
    title = f"Accepting confident predictions on the {evaluation.part} part"
    return Section(
        "automation",
        "How much can be automated?",
        _conclusion(chosen),
        [
            Shown(automation_table(f"{title}: {chosen.name} and the baselines", first), note=_HOW),
            Shown(automation_table(title, evaluation.models), "automation", on_demand="All models"),
            _automation_chart(evaluation),
        ],
    )


_HOW = (
    "The threshold is the lowest confidence from which on validation ads, counted with one right "
    "and one wrong ad more, reach the required precision; its effect is measured on the ads of "
    "this report. An accepted error is an accepted ad in a wrong category."
)


def _conclusion(model: Measured) -> str:
    ads = many(len(model.on_validation.labels), "validation ad")
    if not len(model.on_validation.labels):
        return "Without validation ads no threshold can be chosen."
    found = at_precision(model, ASKED)
    if found is None:
        return (
            f"{ads} do not show that any threshold gives {model.name} {ASKED:.0%} precision: every "
            "ad needs human review."
        )
    if found.precision is None:
        return (
            f"{model.name} reaches {ASKED:.0%} precision on the validation ads only with a "
            f"confidence of {found.threshold}, which none of these ads reaches: every ad needs "
            "human review."
        )
    per_thousand = 1000 * found.errors / found.ads
    text = (
        f"At {ASKED:.0%} required precision, {model.name} can categorise {share(found.share)} of "
        f"the ads automatically, {share(found.precision)} of them correctly: {per_thousand:.0f} "
        f"accepted errors per 1,000 ads, and {share(1 - found.share)} of the ads for human review."
    )
    if found.precision >= ASKED:
        return text
    return f"{text} That is below the required precision: the threshold was chosen on only {ads}."


def at_precision(model: Measured, precision: float) -> Automation | None:
    """The effect of the threshold chosen on validation ads; None where there is none."""
    seen, judged = model.on_validation, model.ad_results
    if not len(seen.labels):
        return None
    threshold = threshold_for(seen.confidence, seen.correct, precision)
    if threshold is None:
        return None
    return automate(judged.confidence, judged.correct, threshold)


def automation_table(title: str, models: Sequence[Measured]) -> Table:
    """By model and required precision, the accepted ads and errors."""
    rows: list[list[Cell]] = []
    for model in models:
        for precision in PRECISIONS:
            found = at_precision(model, precision)
            cells: list[Cell] = [None] * 4
            if found:
                errors = 1000 * found.errors / found.ads
                cells = [found.threshold, found.share, found.precision, errors]
            rows.append([model.name, precision, *cells])
    return Table(
        title,
        [
            *(Column("model"), Column("required precision", "{:.0%}")),
            *(Column("threshold"), percent("share accepted"), percent("precision")),
            Column("accepted errors per 1,000 ads", "{:.1f}"),
        ],
        rows,
    )


def _automation_chart(evaluation: Evaluation) -> Drawing:
    series: list[Series] = []
    for model in evaluation.headline:
        found = model.ad_results
        accepted, precision = automation_curve(found.confidence, found.correct)
        steady = accepted * evaluation.ads >= min(DRAWN, evaluation.ads) - 0.5
        shares, right = 100 * accepted[steady], 100 * precision[steady]
        series.append(Series(model.name, shares.tolist(), right.tolist()))
    ends = ", ".join(f"{one.name} {one.y[-1]:.1f} %" for one in series)
    return Drawing(
        Chart([Panel(series)], "share of the ads accepted (%)", "precision (%)"),
        "automation",
        "Precision against the share automated: the baselines and the best of each approach; the "
        f"curves begin at {many(DRAWN, 'ad')}",
        f"Line chart of precision over the share of the ads accepted; with all of them: {ends}.",
    )
