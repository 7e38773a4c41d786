"""The command: what it writes, that it repeats, goes on after an interruption, and searches."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from pipeline import adcat, make_workspace, uncompiled
from typer.testing import CliRunner

from adcat.attention.fine_tuning import train
from adcat.attention.search import first_round, grid, read_trials
from adcat.cli.app import app
from adcat.cli.options import options_read_by
from adcat.commands.attend import Settings, attend
from adcat.evaluation.error_groups import FIGURES
from adcat.image.labelled_images import LabelledImages
from adcat.learning.schedule import Evaluation, is_over, learning_rate, next_batches
from adcat.progress import Silent
from adcat.report.items import ITEMS
from adcat.workspace.ads import image_paths, read_labels
from adcat.workspace.layout import Workspace
from adcat.workspace.models import find_models

QUICK = ("--stage", "attention", "--epochs", 2)
SEARCH = (
    "--search", "--search-rate", 0.002, "--search-fraction", 0.5,
    "--stage", "attention", "--epochs", 3, "--search-steps", 2,
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two attention models of a small network, made once for the tests that only look."""
    workspace = make_workspace(tmp_path_factory.mktemp("attend"))
    said = adcat(workspace, "attend", *QUICK).stdout
    adcat(workspace, "attend", *QUICK, "--insert-at", "e", "--over", "c", "--late-text")
    return workspace, said


@pytest.fixture
def workspace(made, tmp_path):
    """The same, to be changed; without attention models."""
    shutil.copytree(made[0].root, tmp_path / "w")
    for name in ("attend", ".partial"):
        shutil.rmtree(tmp_path / "w" / name)
    return Workspace(tmp_path / "w")


@pytest.fixture(scope="module")
def searched(made, tmp_path_factory):
    """The same after a search, without other attention models."""
    workspace = Workspace(tmp_path_factory.mktemp("searched") / "w")
    shutil.copytree(made[0].root, workspace.root)
    shutil.rmtree(workspace.root / "attend")
    with uncompiled():
        return workspace, adcat(workspace, "attend", *SEARCH).stdout


def files(artifact):
    return artifact.check().files


def test_it_writes_a_model_its_answers_and_pictures(made):
    workspace, said = made
    artifact = workspace.attention("c-wh")
    found = set(files(artifact))
    assert {"model.keras", "model.json", "history.csv", "border.csv"} <= found
    assert {f"{part}/{name}.npy" for part in ("validation", "test") for name in ("probs", "maps")}
    assert {f"figures/figure-5.{n}.{form}" for n in (9, 10, 11) for form in ("png", "svg")} <= found
    assert any(name.startswith("galleries/") for name in found)
    assert {"figures/mean-maps.png", "mean-maps.md"} <= found
    with (artifact / "mean-maps.csv").open(newline="") as file:
        means = {row["ads where, or of"]: row for row in csv.DictReader(file)}
    assert {"all ads", "Bilar", "Cyklar", "Soffor"} <= means.keys()
    assert int(means["all ads"]["ads"]) == len(read_labels(workspace.split, "test"))
    assert len(np.load(artifact / "mean-maps.npy")) == len(means)
    for part in ("validation", "test"):
        probs, maps = (np.load(artifact / f"{part}/{name}.npy") for name in ("probs", "maps"))
        assert probs.shape == (len(read_labels(workspace.split, part)), 3)
        np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(maps.sum(axis=1), 1, atol=1e-5)
        assert np.load(artifact / f"{part}/vectors.npy").shape == (len(probs), 6)
    assert "border" in said
    assert "validation top-1" in said


def test_its_history_starts_from_the_image_classifier(made):
    workspace, _ = made
    with (workspace.attention("c-wh") / "history.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["epoch"]) for line in lines] == [0, 1, 2]
    image, labels = find_models(workspace, ["image"])[0], read_labels(workspace.split, "validation")
    top1 = (image.probs("validation").argmax(1) == labels).mean()
    assert float(lines[0]["validation_top1"]) == pytest.approx(top1)


def test_over_channels_it_draws_a_heat_map(made):
    found = files(made[0].attention("e-c-late"))
    assert "figures/channels.png" in found
    assert not any("mean-maps" in name for name in found)
    assert not any(name.startswith("galleries/") for name in found)


def test_evaluate_and_error_groups_treat_it_like_any_other(made):
    workspace, _ = made
    document = json.loads(adcat(workspace, "evaluate", "--json").stdout)
    names = [model["model"] for model in document["models"]]
    assert names == ["text", "image", "attend-c-wh", "attend-e-c-late"]
    groups = json.loads(adcat(workspace, "error-groups", "attend-c-wh", "--json").stdout)
    assert groups["models"][0]["model"] == "attend-c-wh"


@pytest.mark.soak
def test_equal_runs_give_equal_artifacts_interrupted_or_not(made, workspace):
    class Interrupting(Silent):
        """Stops the run while the test ads are answered."""

        def task(self, title, total, unit, done=0):
            if title == "attention, test":
                raise KeyboardInterrupt
            return super().task(title, total, unit, done)

    settings = Settings(stage="attention", epochs=2)
    with pytest.raises(KeyboardInterrupt):
        attend(workspace, settings, Interrupting())
    assert not workspace.attention("c-wh").path.exists()
    attend(workspace, settings, Silent())
    assert files(workspace.attention("c-wh")) == files(made[0].attention("c-wh"))


@pytest.mark.soak
def test_maps_that_are_not_stored_are_computed_again(made, workspace):
    attend(workspace, Settings(stage="attention", epochs=2, cache_limit=0), Silent())
    stored, computed = (
        np.load(w.attention("c-wh") / "test/probs.npy") for w in (made[0], workspace)
    )
    np.testing.assert_allclose(computed, stored, atol=1e-4)


@pytest.mark.soak
def test_the_maps_of_one_insertion_point_are_stored_at_a_time(made, tmp_path):
    split, image_model = made[0].split, made[0].image_model.path
    images = LabelledImages(image_paths(split, "test"), read_labels(split, "test"))
    ads = images, np.random.default_rng(0).normal(size=(len(images), 3)).astype(np.float32)
    for point, over in (("c", "wh"), ("c", "c"), ("e", "c")):
        settings = Settings(stage="attention", epochs=1, insert_at=point, over=over)
        settings = settings.following({})
        with uncompiled():
            schedule = settings.schedule(len(images))
            train(settings, schedule, ads, ads, 3, image_model, tmp_path, Silent())
        assert [path.name for path in tmp_path.glob("maps-*")] == [
            f"maps-{point}-tensorflow-float32"
        ]


def test_all_layers_are_trained_by_default(made, workspace):
    adcat(workspace, "attend", "--epochs", 1, "--name", "whole")
    assert [m.name for m in find_models(workspace, ["attend-whole"])] == ["attend-whole"]
    assert "model.keras" in files(workspace.attention("whole"))


@pytest.mark.soak
def test_a_search_tries_all_ten_settings_once(searched):
    workspace, said = searched
    log = workspace.attention_search / "trials.jsonl"
    trials = read_trials(log)
    assert [trial.setting for trial in trials] == grid([0.002])
    assert {tuple(e.epoch for e in trial.history) for trial in trials} == {(0, 1, 2)}
    assert "Table 5.7" in said
    best = max(trials, key=lambda trial: trial.score)
    settings = workspace.attention(best.variant).check().settings
    assert settings.items() >= best.setting.items()
    assert settings["learning_rate"] == 0.002
    before = log.stat().st_mtime_ns
    with uncompiled():
        adcat(workspace, "attend", *SEARCH, "--name", "again")
    assert log.stat().st_mtime_ns == before


def test_at_the_thesis_size_a_setting_is_evaluated_20_times_at_one_rate():
    """Of 64,619 ads, though validation gets worse from the first evaluation on."""
    settings = Settings(**Settings.published, search=True).following({})
    schedule = first_round(settings.schedule(64_619), settings.search_steps)
    history, steps = [Evaluation(0.0, 0.001, None, None, 0.0, 0.9)], []
    while not is_over(history, schedule):
        batches, passed = next_batches(len(history) - 1, 64_619, schedule)
        steps.append(sum(len(of_epoch) for _, of_epoch in batches))
        rate, worse = learning_rate(history, schedule), len(history)
        history.append(Evaluation(passed, rate, 0.0, 0.0, worse, 0.5 - worse / 100))
    assert steps == 20 * [5000]
    assert {evaluation.learning_rate for evaluation in history} == {0.001}
    assert history[-1].epoch == pytest.approx(49.5, abs=0.01)


@pytest.mark.soak
def test_every_file_that_the_page_names_is_there_and_no_other(searched):
    workspace, _ = searched
    with uncompiled():
        adcat(workspace, "attend", *QUICK, "--name", "places")
    adcat(workspace, "evaluate")
    annotated = workspace.root.parent / "errors.csv"
    adcat(workspace, "error-groups", "--annotate", annotated)
    headers, *errors = annotated.read_text().splitlines()
    annotated.write_text("\n".join([headers, *(f"{error}wrong category" for error in errors)]))
    adcat(workspace, "error-groups", "--annotate", annotated)
    groups = json.loads(adcat(workspace, "error-groups", "--json").stdout)["groups"]
    empty = {f"Figure {number}" for group, number in FIGURES.items() if not groups[group]}
    page = (workspace.evaluation / "report.html").read_text()
    section = page[page.index('<h2 id="items">') :]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in section.split("<tr>")[2:]]
    assert len(rows) == len(ITEMS)
    for item, _, _, file, needs in rows:
        path = workspace.root / file
        there = path.is_dir() or list(path.parent.glob(f"{path.name}.*"))
        assert bool(there) == (not needs and item not in empty), item
    absent = {item for item, *_, needs in rows if needs}
    assert absent == {f"Table 5.{i}" for i in range(1, 7)} | {f"Figure 5.{i}" for i in range(1, 5)}


@pytest.mark.soak
def test_preset_thesis_leaves_the_attention_unscaled(workspace):
    with uncompiled():
        adcat(workspace, "attend", "--preset", "thesis", "--epochs", 1, "--stage", "attention")
    settings = workspace.attention("c-wh").check().settings
    assert (settings["scale"], settings["optimizer"]) == ("none", "rmsprop")
    assert settings["stage"] == "attention"  # options beside the preset win


def test_only_the_stage_attention_reads_options_of_a_frozen_network():
    of_all, of_attention = (options_read_by(Settings)[stage] for stage in ("all", "attention"))
    assert of_attention.keys() - of_all.keys() == {"views", "cache_limit", "engine", "precision"}
    assert of_all.keys() - of_attention.keys() == {"batch_norm", "crop_area"}


def test_a_missing_input_is_named(tmp_path):
    result = CliRunner().invoke(app, ["-w", str(tmp_path), "attend"])
    assert result.exit_code == 1
    assert "adcat -w" in result.stderr
    assert "split" in result.stderr
