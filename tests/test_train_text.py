import csv
import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from handmade import make_split
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.data.splitting import folds
from adcat.files import read_json_lines
from adcat.learning.hyperparameter_search import SearchOptions, search
from adcat.progress import Silent
from adcat.text.corpus import Corpus, measure
from adcat.text.fasttext_model import train
from adcat.text.fasttext_settings import FastTextSettings
from adcat.text.noise import with_noise
from adcat.text.options import OPTIONS
from adcat.text.registry import load, reading_of
from adcat.text.search_space import space
from adcat.workspace.ads import read_labels
from adcat.workspace.layout import Workspace

CATEGORIES = ["bilar", "båtar", "soffor", "tält"]
WORDS = {0: "volvo vinterdäck kombi", 2: "soffa fåtölj hörnsoffa", 3: "tält kupoltält camping"}
SORTED = [0] * 30 + [2] * 30 + [3] * 30  # as many a table is
QUICK = ("--epochs", 60, "--bucket", 1000, "--dim", 10)


def titles(labels):
    """Two of its category's words and a number in every title; båtar have no ads."""
    words = {label: WORDS[label].split() for label in WORDS}
    return [f"{words[c][i % 3]} {words[c][i % 2]} {i}" for i, c in enumerate(labels)]


def split(root, train, validation=(0, 2, 3), test=(0, 2, 3), **changes):
    made = Workspace(root)
    labels = {"train": train, "validation": validation, "test": test}
    words = {part: titles(of) for part, of in labels.items()}
    make_split(made, CATEGORIES, labels, **{"titles": words, **changes})
    return made


@pytest.fixture
def workspace(tmp_path):
    return split(tmp_path / "w", train=SORTED)


def run(workspace, *words):
    command = ["-w", workspace.root, "train-text", *words]
    return CliRunner().invoke(app, [str(word) for word in command])


def files(workspace):
    return {path.name: path.read_bytes() for path in workspace.text_model.path.iterdir()}


def test_a_field_that_no_ad_has_is_told(workspace):
    result = run(workspace, "--fields", "description")
    assert result.exit_code == 1
    assert "no training ad has a description; leave --fields out" in result.stderr
    assert not workspace.text_model.path.exists()


def test_it_writes_a_model_that_has_learned_the_categories(workspace):
    result = run(workspace, *QUICK)
    assert result.exit_code == 0, result.output
    manifest = workspace.text_model.check()
    assert set(manifest.files) == {
        "model.bin", "model.json", "history.csv", "history.md", "train_probs.npy",
    }  # fmt: skip
    assert set(files(workspace)) == {*manifest.files, "manifest.json"}
    assert manifest.notes == {
        "fitted_on": "train", "train_probs": "out-of-fold", "training_steered_by": "nothing",
    }  # fmt: skip
    assert list(manifest.inputs) == ["split"]
    assert reading_of(workspace.text_model.path) == ("words", "both")
    vectors, probs = load(workspace.text_model.path).features(["hörnsoffa", "kupoltält 7", "kombi"])
    assert probs.argmax(axis=1).tolist() == [2, 3, 0]
    assert (probs[:, 1] == 0).all()
    assert vectors.shape == (3, 10)


def test_it_reports_training_and_validation_accuracy(workspace):
    result = run(workspace, *QUICK)
    with (workspace.text_model.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = [(row["part"], row["ads"]) for row in rows]
    assert found == [("train", "90"), ("validation", "3"), ("train, out-of-fold", "90")]
    model = load(workspace.text_model.path)
    for row in rows[:2]:
        labels = read_labels(workspace.split, row["part"])
        _, probs = model.features([title.lower() for title in titles(labels)])
        assert float(row["top1"]) == np.mean(probs.argmax(axis=1) == labels)
        assert f"{float(row['top1']):.2%}" in result.stdout
    assert "1 of 4 categories have no ads to train on" in result.stderr


def test_what_follows_from_the_data_is_told_and_recorded(workspace):
    result = run(workspace)
    assert "on 90 ads --epochs 100 --bucket 10000 --min-count 1 --folds 5\n" in result.stderr
    settings = workspace.text_model.manifest().settings
    assert (settings["epochs"], settings["bucket"], settings["min_count"]) == (100, 10_000, 1)
    assert settings["folds"] == 5
    assert (settings["augment_noise"], settings["threads"]) == (0, 1)
    assert settings["learning_rate"] == 0.9683111567577267


@pytest.mark.parametrize("noise", [0.3, pytest.param(0, marks=pytest.mark.soak)])
def test_the_same_seed_gives_the_same_artifact_bit_for_bit(workspace, noise):
    def train(seed):
        assert run(workspace, *QUICK, "--augment-noise", noise, "--seed", seed).exit_code == 0
        return workspace.text_model.manifest().digest, files(workspace)["model.bin"]

    first = train(5)
    assert train(6)[1] != first[1]
    assert train(5) == first


def test_noise_adds_a_copy_of_every_training_ad(workspace):
    import fasttext

    run(workspace, *QUICK, "--augment-noise", 0.5, "--min-count", 1)
    model = fasttext.load_model(str(workspace.text_model.path / "model.bin"))
    assert model.get_labels(include_freq=True)[1].tolist() == [60, 60, 60]
    characters = {character for word in model.get_words()[1:] for character in word}
    assert characters <= set("".join(titles(SORTED)))


def test_the_published_settings(workspace):
    result = run(workspace, "--preset", "thesis", "--bucket", 1000, "--threads", 1)
    assert result.exit_code == 0, result.output
    settings = workspace.text_model.manifest().settings
    assert (settings["epochs"], settings["augment_noise"], settings["min_count"]) == (3, 0.2, 1)
    assert (settings["bucket"], settings["threads"]) == (1000, 1)  # given beside it
    assert settings["folds"] == 0
    assert not (workspace.text_model / "train_probs.npy").exists()
    assert reading_of(workspace.text_model.path) == ("thesis", "both")


def test_pretrained_vectors_are_recorded_by_name_and_content(workspace, tmp_path):
    path = tmp_path / "words.vec"
    path.write_text("1 2\nsoffa 1 -1\n")
    result = run(workspace, "--dim", 2, "--epochs", 1, "--pretrained-vectors", path)
    assert result.exit_code == 0, result.output
    manifest = workspace.text_model.manifest()
    assert manifest.settings["pretrained_vectors"] == "words.vec"
    assert re.fullmatch("[0-9a-f]{64}", manifest.notes["pretrained_vectors_sha256"])


def one_known_word(root):
    """Every title is one word of its own, but for the last two ads, which are duplicates."""
    labels = [0, 2, 0, 2, 0, 2, 3, 3]
    words = {part: [f"ord{i}" for i in range(8)] for part in ("train", "validation", "test")}
    words["train"][7] = words["train"][6]
    groups = {"train": [1, 2, 3, 4, 5, 6, 7, 7], "validation": range(3), "test": range(3)}
    return split(root, labels, titles=words, groups=groups)


@pytest.mark.parametrize("model", [(), ("--model", "tfidf", "--tfidf-min-df", 1)])
def test_out_of_fold_answers_are_of_models_that_did_not_see_the_ad_or_its_duplicate(
    tmp_path, model
):
    made = one_known_word(tmp_path / "w")
    quick = QUICK if not model else ()
    assert run(made, *model, *quick, "--folds", 7).exit_code == 0  # a fold for each group
    probs = np.load(made.text_model / "train_probs.npy")
    assert (probs.shape, probs.dtype) == ((8, 4), np.float32)
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)
    _, own = load(made.text_model.path).features([f"ord{i}" for i in range(7)])
    assert own.argmax(axis=1)[6] == 3
    assert (probs[6:, 3] == 0).all()  # no other ad is of the category
    np.testing.assert_array_equal(probs[6], probs[7])


def test_a_fold_is_trained_as_the_whole_is(workspace, tmp_path):
    """With the settings that follow from all ads, and with noisy copies where these are wanted."""
    words = ("--augment-noise", 0.2, "--bucket", 1000, "--dim", 5, "--seed", 3)
    assert run(workspace, *words, "--folds", 2).exit_code == 0
    probs = np.load(workspace.text_model / "train_probs.npy")
    rows = [outside for outside, _ in folds(np.arange(90), 2, 3)]
    labels, words_of = np.array(SORTED), titles(SORTED)
    for seen, left_out in zip(rows, reversed(rows), strict=True):
        corpus = Corpus(lambda seen=seen: iter([[words_of[i] for i in seen]]), labels[seen], 4)
        alphabet = measure(Corpus(lambda: iter([words_of]), labels, 4)).alphabet
        settings = FastTextSettings(
            bucket=1000, dim=5, epochs=workspace.text_model.manifest().settings["epochs"],
            min_count=2,
        )  # fmt: skip
        model = train(with_noise(corpus, 0.2, alphabet, 3), settings, 3, tmp_path)
        expected = model.features([words_of[i] for i in left_out])[1]
        np.testing.assert_array_equal(probs[left_out], expected)


def test_ads_that_are_too_few_for_folds_are_told(tmp_path):
    made = split(tmp_path / "w", train=[0, 2])
    result = run(made, *QUICK)
    assert result.exit_code == 0, result.output
    assert "warning: no out-of-fold probabilities: without a fold, a classifier needs" in (
        result.stderr
    )
    assert "train_probs" not in made.text_model.check().notes
    assert "train_probs.npy" not in files(made)


def test_a_split_without_validation_ads_has_no_validation_accuracy(tmp_path):
    made = split(tmp_path / "w", train=[0, 2, 3], validation=[])
    assert run(made, *QUICK, "--folds", 0).exit_code == 0
    assert (made.text_model.path / "history.csv").read_text().splitlines()[1:] == ["train,3,1.0"]


@pytest.mark.parametrize(
    ("train", "words", "told"),
    [
        (
            [],
            (),
            "error: a classifier needs training ads of at least two categories; 0 of 4 have 1",
        ),
        (
            [2, 2],
            (),
            "error: a classifier needs training ads of at least two categories; 1 of 4 have 1",
        ),
        ([0, 2], ("--minn", 9), "error: --minn 9 is above --maxn 6; for no n-grams: --maxn 0"),
        ([0, 2], ("--pretrained-vectors", "no.vec"), "error: no.vec: No such file or directory"),
        ([0, 2], ("--learning-rate", 1e9), "error: training diverged at learning rate 1e+09; try"),
    ],
)
def test_a_failure_is_told_and_leaves_nothing(tmp_path, train, words, told):
    made = split(tmp_path / "w", train)
    result = run(made, *words)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert not made.text_model.path.exists()
    assert not list((made.root / ".partial").rglob("*.txt"))


def test_a_failure_keeps_the_old_model(workspace):
    run(workspace, *QUICK)
    before = files(workspace)
    assert run(workspace, "--learning-rate", 1e9).exit_code == 1
    assert files(workspace) == before


CNN = ("--cnn-epochs", 10, "--cnn-filters", 20, "--cnn-widths", 1, "--cnn-learning-rate", 0.01)
QUICK_OF = {"tfidf": (), "cnn": CNN}


@pytest.mark.parametrize(
    "model",
    [pytest.param(model, marks=[pytest.mark.soak] * (model == "cnn")) for model in QUICK_OF],
)
def test_every_model_learns_the_categories(workspace, model):
    result = run(workspace, "--model", model, *QUICK_OF[model], "--folds", 2)
    assert result.exit_code == 0, result.output
    assert f"training {model} on 90 ads" in result.stderr
    assert workspace.text_model.check().settings["model"] == model
    vectors, probs = load(workspace.text_model.path).features(["hörnsoffa", "kupoltält 7", "kombi"])
    assert probs.argmax(axis=1).tolist() == [2, 3, 0]
    assert (probs[:, 1] == 0).all()
    assert len(vectors) == 3
    out_of_fold = np.load(workspace.text_model / "train_probs.npy")
    assert (out_of_fold.argmax(axis=1) == SORTED).mean() > 0.9


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--tfidf-c", 100), "Error: --tfidf-c is an option of --model tfidf, not of fasttext\n"),
        (
            ("--model", "tfidf", "--epochs", 2),
            "--epochs is an option of --model fasttext, not of tfidf\n",
        ),
    ],
)
def test_an_option_of_another_model_is_an_error(workspace, words, told):
    result = run(workspace, *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not workspace.text_model.path.exists()


TUNE = ("--tune", 8, "--tune-fraction", 0.5, "--bucket", 1000, "--folds", 2)


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_a_search_trains_the_best_of_its_trials(workspace, algorithm):
    result = run(workspace, *TUNE, "--tune-algorithm", algorithm)
    assert result.exit_code == 0, result.output
    manifest = workspace.text_model.check()
    found = read_json_lines(workspace.text_model / "trials.jsonl")
    best = max(found, key=lambda trial: trial["score"])["settings"]
    assert len(found) == 8
    assert set(best) == {"learning_rate", "dim", "epochs", "minn", "maxn"}
    epochs = max(1, round(best["epochs"] / 2))
    assert manifest.notes["tuned"] == {**best, "epochs": epochs}  # of twice as many texts
    assert manifest.notes["training_steered_by"] == "validation"
    assert f"best of 8 trials: --dim {best['dim']} --epochs {best['epochs']} " in result.stdout
    said = f"found on 0.5 of the ads; --epochs {epochs} sees as many texts"
    assert (said in result.stdout) == (best["epochs"] > 1)
    assert load(workspace.text_model.path).dimension == best["dim"]
    assert manifest.notes["train_probs"] == "out-of-fold"


@pytest.mark.parametrize("words", [(), ("--preset", "thesis", "--bucket", 1000, "--threads", 1)])
def test_a_search_on_all_ads_takes_the_epochs_that_it_found(workspace, words):
    result = run(workspace, *words, "--tune", 2, "--folds", 0)
    assert result.exit_code == 0, result.output
    found = read_json_lines(workspace.text_model / "trials.jsonl")
    manifest = workspace.text_model.check()
    assert manifest.settings["tune_fraction"] == 1
    assert manifest.notes["tuned"] == max(found, key=lambda trial: trial["score"])["settings"]
    assert "sees as many texts" not in result.stdout


def test_a_search_needs_validation_ads(tmp_path):
    made = split(tmp_path / "w", train=[0, 2, 3], validation=[])
    result = run(made, *TUNE)
    assert result.exit_code == 1
    assert "error: --tune needs validation ads, and the split has none" in result.stderr


@pytest.mark.soak
def test_a_search_that_was_killed_ends_like_one_that_was_not(tmp_path):
    killed, whole = (split(tmp_path / name, train=SORTED) for name in ("killed", "whole"))
    command = [sys.executable, "-m", "adcat", "-w", killed.root, "train-text", *TUNE]
    with subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not any(
            log.read_text().count("\n") > 2 for log in killed.root.rglob("trials.jsonl")
        ):
            time.sleep(0.01)
        process.kill()
    for made in (killed, whole):
        assert run(made, *TUNE).exit_code == 0
    assert killed.text_model.check().digest == whole.text_model.check().digest


def drawn(model, folder, count):
    """Settings that a random search tries."""
    seen = []
    search(
        space(model), lambda settings, seed: seen.append(settings) or 0.0,
        SearchOptions(count, "random"), 0, folder / "log", Silent(),
    )  # fmt: skip
    return seen


def test_the_spaces_hold_n_gram_lengths_and_the_optimizer(tmp_path):
    (tmp_path / "cnn").mkdir()
    lengths = {(point["minn"], point["maxn"]) for point in drawn("fasttext", tmp_path, 60)}
    assert {(3, 6), (5, 6)} <= lengths  # the thesis' and the default
    assert all(maxn == 0 or minn <= maxn for minn, maxn in lengths)
    optimizers = {point["cnn_optimizer"] for point in drawn("cnn", tmp_path / "cnn", 20)}
    assert optimizers == {"adam", "rmsprop", "sgd"}


@pytest.mark.parametrize("model", OPTIONS)
def test_every_model_has_a_space_of_its_own_settings(model, tmp_path):
    seen = drawn(model, tmp_path, 8)
    assert {name for settings in seen for name in settings} <= set(
        OPTIONS[model].__dataclass_fields__
    )
    assert len({json.dumps(settings) for settings in seen}) == 8


@pytest.mark.parametrize(
    "model",
    [pytest.param(model, marks=[pytest.mark.soak] * (model == "cnn")) for model in QUICK_OF],
)
def test_every_model_can_be_tuned(workspace, model):
    words = (*QUICK_OF[model], "--folds", 0, *(("--cnn-epochs", 1) if model == "cnn" else ()))
    result = run(workspace, "--model", model, *words, "--tune", 2, "--tune-fraction", 1)
    assert result.exit_code == 0, result.output
    found = read_json_lines(workspace.text_model / "trials.jsonl")
    assert [trial["status"] for trial in found] == ["ok", "ok"]  # texts shorter than the widths
