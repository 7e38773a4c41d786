"""Says what the validation ads let one expect of a model's predictions."""

import math

import numpy as np

from adcat.evaluation.calibration import automate
from adcat.evaluation.metrics import ad_results
from adcat.prediction.predictor import Predictor
from adcat.prediction.rules import Promise, Rule
from adcat.prediction.temperature import with_temperature
from adcat.progress import Progress
from adcat.types import AVAILABILITIES, IN_WORDS, have
from adcat.workspace.ads import read_availabilities, read_labels
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs


def tell_calibration(
    workspace: Workspace, predictor: Predictor, promise: Promise, progress: Progress
) -> None:
    """Reports what was fitted on the validation ads, for each rule that predicts some of them."""
    availabilities = read_availabilities(workspace.split, "validation")
    own = AVAILABILITIES[predictor.model.modalities]
    rests_on = np.where(have(availabilities, predictor.model.modalities), own, availabilities)
    for kind in np.unique(np.append(rests_on, own)).tolist():
        rule, ads = predictor.rules[kind], np.count_nonzero(rests_on == kind)
        which = "" if ads == len(availabilities) else f" predicted from {IN_WORDS[kind]}"
        if rule.temperature:
            of = f" for ads{which}" if which else ""
            fitted_on = f"fitted on {predictor.calibrated_on}"
            progress.say(f"temperature {rule.temperature:.3f}{of}, {fitted_on}")
        elif promise.calibrate:
            progress.say(
                f"warning: {ads:,} validation ads{which} are too few to calibrate by, "
                f"{promise.fewest} are needed: probabilities stay as they are"
            )
        if rule.threshold == math.inf:
            progress.say(
                f"warning: {ads:,} validation ads{which} are too few to guarantee "
                f"{promise.coverage}: every category is suggested"
            )


def tell_accepted(
    workspace: Workspace, model: ModelProbs, rule: Rule, least: float, progress: Progress
) -> None:
    """Reports the share of validation ads that are accepted, and the accuracy among these."""
    read = have(read_availabilities(workspace.split, "validation"), rule.modalities)
    if not read.any():
        return
    labels = read_labels(workspace.split, "validation")[read]
    probs = with_temperature(model.probs("validation")[read], rule.temperature)
    judged = ad_results(probs, labels, model.path("validation"))
    found = automate(judged.confidence, judged.correct, least)
    right = "" if found.precision is None else f"; {found.precision:.1%} of these are right"
    progress.say(f"{found.share:.1%} of the validation ads are accepted at {least}{right}")
