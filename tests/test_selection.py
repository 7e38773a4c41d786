"""Which model is chosen, on answers worked by hand."""

import numpy as np
import pytest

from adcat.evaluation.metrics import AdResults
from adcat.evaluation.selection import SIMPLICITY, Candidate, choose, no_better_than
from adcat.fusion.policies import POLICIES


def results(right, loss=0.5):
    """Of 100 ads: `right` is a string of 1 and 0, repeated; a loss for all ads, or one for each."""
    correct = np.resize([letter == "1" for letter in right], 100)
    zeros = np.zeros(100, np.int64)
    losses = np.resize(np.asarray(loss, np.float32), 100)
    return AdResults(zeros, zeros, losses, (~correct).astype(np.int64), losses)


def candidate(name, form, validation, train=None, tuned=False):
    parts = {"validation": validation, "train": train}
    known = {part: of_part for part, of_part in parts.items() if of_part is not None}
    return Candidate(name, form, tuned, known)


def chosen(*candidates):
    return choose(candidates).model


def test_a_more_accurate_model_is_taken_when_the_difference_exceeds_its_error():
    # 25 ads gained and 5 lost: 20 points, standard error sqrt(30 - 4) / 100 = 5.1 points
    text = candidate("text", "baseline", results("1" * 15 + "0" * 5, 0.5))
    fused = candidate("max", "heuristic policy", results("1" * 12 + "0" + "1" * 7, 0.5))
    assert text.results["validation"].correct.mean() == 0.75
    assert fused.results["validation"].correct.mean() == 0.95
    assert chosen(text, fused) == "max"


def test_of_models_that_are_not_told_apart_the_simplest_is_taken():
    better = "1" * 17 + "000"
    linear = candidate("linear", "linear model", results(better))
    stack = candidate("stack", "fitted policy", results("0" + "1" * 15 + "0000"))
    assert chosen(linear, stack) == "linear"  # 10 ads lost, none gained: error sqrt(10 - 1) / 100
    stack = candidate("stack", "fitted policy", results("0" + "1" * 16 + "100"))
    assert chosen(linear, stack) == "stack"  # as many gained as lost


def test_a_model_that_is_clearly_less_sure_of_the_truth_is_told_apart():
    right, spread = "1" * 9 + "0", [0.1, 0.3, 0.5, 0.7]
    simple = candidate("text", "baseline", results(right, np.array(spread) + 0.5))
    sure = candidate("stack", "fitted policy", results(right, spread))
    assert chosen(simple, sure) == "stack"
    nearly = candidate("text", "baseline", results(right, [0.5, 0.7, 0.4, 0.1]))
    assert chosen(nearly, sure) == "text"  # by 0.025 nats, with an error of 0.042


def test_between_equals_tuned_ones_come_last_then_the_lower_loss_decides():
    right = "1110"
    plain = candidate("b", "network policy", results(right, 0.5))
    assert chosen(plain, candidate("a", "network policy", results(right, 0.1), tuned=True)) == "b"
    assert chosen(plain, candidate("c", "network policy", results(right, 0.4))) == "c"
    assert chosen(plain, candidate("a", "network policy", results(right, 0.5))) == "a"


def test_training_ads_count_where_the_answers_are_out_of_fold():
    good, bad = results("1" * 9 + "0"), results("1" * 7 + "000")
    text = candidate("text", "baseline", results("1"), bad)
    fused = candidate("max", "heuristic policy", results("1" * 19 + "0"), results("1"))
    choice = choose([text, fused])
    assert (choice.model, choice.parts, choice.ads) == ("max", ("train", "validation"), 200)
    assert choice.top1 == pytest.approx(0.975)
    assert choice.not_told_apart == []
    assert choice.in_words == "the training ads (out-of-fold) and the validation ads"
    assert chosen(candidate("text", "baseline", good), fused) == "max"


def test_a_model_without_answers_to_training_ads_has_to_be_better_by_more_than_chance():
    known = candidate("max", "heuristic policy", results("1" * 18 + "00"), results("1"))
    luckier = candidate("concat", "early fusion", results("1" * 19 + "0", 0.1))  # by 5 points
    choice = choose([known, luckier])
    assert (choice.model, choice.parts) == ("max", ("train", "validation"))
    better = candidate("pool", "early fusion", results("1", 0.1))  # by 10 points, interval 3 to 16
    choice = choose([known, luckier, better])
    assert (choice.model, choice.parts, choice.ads) == ("pool", ("validation",), 100)


def test_a_classifier_with_answers_to_training_ads_is_not_preferred_to_combinations_without():
    text = candidate("text", "baseline", results("1" * 8 + "00"), results("1"))
    fused = candidate("max", "heuristic policy", results("1" * 17 + "000"))
    choice = choose([text, fused])
    assert (choice.model, choice.parts) == ("max", ("validation",))


def test_the_order_in_which_models_come_does_not_matter():
    models = [candidate(name, "network policy", results("1" * 9 + "0")) for name in ("c", "a", "b")]
    assert {chosen(*order) for order in (models, models[::-1])} == {"a"}
    assert choose(models).not_told_apart == ["b", "c"]


def test_without_ads_the_simplest_is_taken():
    nothing = results("1").of(np.zeros(100, bool))
    models = [candidate(form, form, nothing) for form in reversed(SIMPLICITY)]
    choice = choose(models)
    assert (choice.model, choice.ads, choice.top1) == ("baseline", 0, 0)


def test_a_model_that_is_no_better_than_its_best_part_is_told_by_that_part():
    text = candidate("text", "baseline", results("1110"))
    image = candidate("image", "baseline", results("1000"))
    fused = candidate("max", "heuristic policy", results("0111"))
    assert no_better_than(fused, [text, image]) == "text"  # as often right, about other ads
    assert no_better_than(fused, [image]) == ""
    assert no_better_than(text, []) == ""


def test_every_policy_has_its_place_in_the_order_of_simplicity():
    assert {policy.form for policy in POLICIES.values()} <= set(SIMPLICITY)
