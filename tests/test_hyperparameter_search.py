import errno
import json
import math

import pytest
from handmade import NETWORKS
from hyperopt import hp
from scores import score

from adcat.errors import BadInputError, DivergedError, LackOfMemoryError
from adcat.files import read_json_lines
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings
from adcat.learning.hyperparameter_search import SearchOptions, drawn_from, read_trials, search
from adcat.learning.runtime import import_tensorflow
from adcat.parallel.processes import in_processes
from adcat.parallel.tasks import Workers, in_turn
from adcat.progress import Silent


def space():
    return {
        "rate": hp.loguniform("rate", math.log(1e-6), math.log(1.0)),
        "units": hp.choice("units", [10, 20, 50]),
        "keep": hp.choice("dropout", [1.0, hp.uniform("keep", 0.5, 0.9)]),
    }


def run(log, trials=25, score=score, algorithm="tpe", seed=0, at_once=1):
    options, workers = SearchOptions(trials, algorithm), Workers(in_turn, at_once)
    return search(space(), score, options, seed, log, Silent(), workers)


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_an_interrupted_search_ends_like_an_uninterrupted_one(tmp_path, algorithm, at_once):
    """Also one that was interrupted among trials that ran at a time."""
    run(tmp_path / "whole", algorithm=algorithm, at_once=at_once)
    for trials in (3, 11, 18, 25):
        best = run(tmp_path / "parts", trials, algorithm=algorithm, at_once=at_once)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    assert best.settings == max(read_trials(tmp_path / "whole"), key=lambda t: t.score).settings


def test_trials_at_a_time_are_those_of_a_random_search_in_sequence(tmp_path):
    run(tmp_path / "one", algorithm="random")
    run(tmp_path / "six", algorithm="random", at_once=6)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "six").read_bytes()


def test_processes_write_the_log_of_one_process(tmp_path):
    alone = run(tmp_path / "alone", 12, algorithm="random")
    with in_processes(3) as at_once:
        options, workers = SearchOptions(12, "random"), Workers(at_once, 3)
        best = search(space(), score, options, 0, tmp_path / "log", Silent(), workers)
    assert (tmp_path / "log").read_bytes() == (tmp_path / "alone").read_bytes()
    assert best == alone


def test_tpe_knows_the_trials_that_have_ended_when_it_draws(tmp_path):
    """The ten first are drawn at random; of the next three at a time none knows the others."""
    for at_once in (1, 3):
        run(tmp_path / f"{at_once}", 14, at_once=at_once)
    alone, three = (read_trials(tmp_path / name) for name in ("1", "3"))
    assert three[:11] == alone[:11]  # the eleventh knows ten, as there
    assert three[11:13] != alone[11:13]
    options = SearchOptions(14)
    assert drawn_from(options, 3) == {"tune_at_once": 3}
    assert drawn_from(options, 1) == drawn_from(SearchOptions(10), 3) == {}
    assert drawn_from(SearchOptions(14, "random"), 3) == {}


def test_the_log_of_an_earlier_version_is_gone_on_with(tmp_path):
    run(tmp_path / "log", 3)
    lines = [{**line, "seconds": 0.1} for line in read_json_lines(tmp_path / "log")]
    (tmp_path / "old").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert run(tmp_path / "old", 12) == run(tmp_path / "log", 12)


def test_a_line_cut_short_by_a_kill_is_tried_again(tmp_path):
    run(tmp_path / "whole", 15)
    run(tmp_path / "cut", 12)
    text = (tmp_path / "cut").read_text()
    (tmp_path / "cut").write_text(text[:-30])
    run(tmp_path / "cut", 15)
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_settings_are_resolved_and_within_the_space(tmp_path):
    run(tmp_path / "log")
    for trial in read_trials(tmp_path / "log"):
        assert trial.settings["units"] in (10, 20, 50)
        assert 1e-6 <= trial.settings["rate"] <= 1
        assert trial.settings["keep"] == 1.0 or 0.5 <= trial.settings["keep"] <= 0.9


def test_tpe_learns_from_its_trials(tmp_path):
    run(tmp_path / "log", 60)
    scores = [trial.score for trial in read_trials(tmp_path / "log")]
    assert sum(scores[40:]) / 20 > sum(scores[:10]) / 10 + 0.5


def test_a_failed_trial_is_recorded_and_the_search_goes_on(tmp_path):
    def fragile(settings, seed):
        if settings["units"] == 10:
            raise DivergedError("the loss is nan")
        return math.nan if settings["units"] == 50 else score(settings, seed)

    best = run(tmp_path / "log", score=fragile)
    trials = read_trials(tmp_path / "log")
    assert best.settings["units"] == 20
    assert {trial.error for trial in trials} == {
        "", "DivergedError: the loss is nan", "the score is nan"
    }  # fmt: skip
    assert all((trial.status == "failed") == (trial.score is None) for trial in trials)


NO_ROOM = {
    "full disk": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "memory": MemoryError,
    "memory of ours": lambda: LackOfMemoryError("too large"),
    "memory of TensorFlow's": lambda: import_tensorflow().errors.ResourceExhaustedError(
        None, None, "OOM"
    ),
}


@pytest.mark.parametrize("name", NO_ROOM)
def test_what_no_setting_causes_ends_the_search_which_then_resumes(tmp_path, name):
    error = NO_ROOM[name]()

    def on_a_full_machine(settings, seed):
        if len(read_trials(tmp_path / "log")) == 2:
            raise error
        return score(settings, seed)

    with pytest.raises(type(error)):
        run(tmp_path / "log", 5, score=on_a_full_machine)
    assert len(read_trials(tmp_path / "log")) == 2
    run(tmp_path / "log", 5)
    run(tmp_path / "whole", 5)
    assert (tmp_path / "log").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_search_without_any_success_says_why(tmp_path):
    def broken(settings, seed):
        raise ValueError("no such thing")

    with pytest.raises(BadInputError, match="all 3 trials failed, the last with: ValueError"):
        run(tmp_path / "log", 3, score=broken)


def test_another_seed_is_another_search(tmp_path):
    run(tmp_path / "a", 3)
    run(tmp_path / "b", 3, seed=1)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("policy", NETWORKS)
def test_every_network_has_a_space_of_its_own_settings(policy, tmp_path):
    seen = []
    score = lambda settings, seed: seen.append(settings) or 0.0  # noqa: E731
    search(
        POLICIES[policy].space(), score, SearchOptions(12, "random"), 0, tmp_path / "log", Silent()
    )
    for settings in seen:
        PolicySettings(**settings)
        assert set(settings) < set(POLICIES[policy].options)
    assert len({settings["hidden_units"] for settings in seen}) > 1
    assert ("image_power" in seen[0]) == (policy == "temperature")
    assert ("transformer_size" in seen[0]) == ("vectors" in POLICIES[policy].reads[0])
