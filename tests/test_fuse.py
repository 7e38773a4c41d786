import csv
import functools
import json

import numpy as np
import pytest
from handmade import NETWORKS, certain, make_split, write_arrays
from pipeline import uncompiled
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.cli.options import options_read_by
from adcat.commands.fuse import Settings
from adcat.files import read_json_lines
from adcat.fusion.data_size import resolve
from adcat.fusion.fused_model import load
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings
from adcat.probabilities import prior, softmax
from adcat.workspace.ads import read_labels
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.models import all_models

CATEGORIES = ["Bilar", "Cyklar", "Soffor"]
ADS = {"train": 60, "validation": 40, "test": 20}
OF_ARRAYS = [name for name in POLICIES if name != "linear"]  # which reads texts: test_stack.py
QUICK = ("--max-epochs", 2, "--evaluate-every", 1, "--hidden-units", 8)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace with the features of two imperfect baselines."""
    workspace = Workspace(tmp_path_factory.mktemp("fuse") / "w")
    rng = np.random.default_rng(0)
    labels = {part: rng.integers(0, 3, ads) for part, ads in ADS.items()}
    arrays = {}
    for part, truth in labels.items():
        for modality, size in (("image", 7), ("text", 5)):
            logits = rng.normal(size=(len(truth), 3)) + 2 * np.eye(3)[truth]
            powers = np.exp(logits)
            arrays[f"{part}/{modality}_probs"] = powers / powers.sum(axis=1, keepdims=True)
            arrays[f"{part}/{modality}_vectors"] = np.pad(logits, ((0, 0), (0, size - 3)))
    make_split(workspace, CATEGORIES, labels)
    write_arrays(workspace.features, [workspace.split], arrays)
    return workspace


@pytest.fixture(scope="module")
def fused(made):
    """Fits a policy quickly, if that was not done before; returns what the command said."""

    @functools.cache
    def fit(policy):
        return fuse(made, "--policy", policy, *(QUICK if policy in NETWORKS else ())).stdout

    return fit


def fuse(workspace, *words):
    words = ["-w", str(workspace.root), "fuse", *map(str, words)]
    with uncompiled():
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result


def probs(workspace, name, part="test"):
    return np.load(workspace.fused(name) / f"{part}/probs.npy")


def features(workspace, part, *names):
    return [np.load(workspace.features / f"{part}/{name}.npy") for name in names]


@pytest.mark.parametrize("policy", OF_ARRAYS)
def test_every_policy_gives_probabilities_that_its_saved_model_gives_again(made, fused, policy):
    fused(policy)
    model = load(made.fused(policy).path)
    for part in ("validation", "test"):
        found = probs(made, policy, part)
        assert found.shape == (ADS[part], 3)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    again = model.probs(features(made, "test", *model.reads))
    np.testing.assert_allclose(again, probs(made, policy), atol=1e-6)


@pytest.mark.parametrize("policy", ["image-only", "text-only", "concat", "pool", "pool-aux"])
def test_an_early_network_writes_its_fused_vectors(made, fused, policy):
    fused(policy)
    artifact = made.fused(policy)
    w1, b1, w2, b2 = load(artifact.path).network.get_weights()[-4:]
    for part, ads in ADS.items():
        z = np.load(artifact / f"{part}/vectors.npy")
        assert (z.shape, z.dtype) == ((ads, len(w1)), np.float32)
        if part != "train":
            o = softmax(np.tanh(z @ w1 + b1) @ w2 + b2)
            np.testing.assert_allclose(o, probs(made, policy, part), rtol=1e-4)


def test_a_late_network_writes_no_vectors(made, fused):
    fused("nn")
    assert not list(made.fused("nn").path.rglob("vectors.npy"))


def test_product_max_is_the_product(made, fused):
    fused("product-max")
    o_img, o_txt = features(made, "test", "image_probs", "text_probs")
    product = o_img * o_txt
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probs(made, "product-max"), expected, rtol=1e-5)


def test_the_prior_comes_from_the_training_part(made, fused):
    fused("product-prior")
    stored = json.loads((made.fused("product-prior") / "params.json").read_text())
    expected = prior(read_labels(made.split, "train"), 3)
    assert stored["parameters"]["prior"] == pytest.approx(expected.tolist())


def test_log_linear_prints_and_stores_its_weights_and_says_what_it_saw(made, fused):
    said = fused("log-linear")
    stored = json.loads((made.fused("log-linear") / "params.json").read_text())["parameters"]
    assert f"w_txt {stored['w_txt']:.3f}, w_img {stored['w_img']:.3f}" in said
    notes = made.fused("log-linear").manifest().notes
    assert notes["fitted_on"] == "validation"
    assert notes["validation_probs"] == "out-of-fold"


def test_choice_prints_its_weights(made, fused):
    said = fused("choice")
    stored = json.loads((made.fused("choice") / "params.json").read_text())["parameters"]
    image, text = (" ".join(f"{w:.3f}" for w in stored[name]) for name in ("w_img", "w_txt"))
    assert f"weights: w_img {image}, w_txt {text}, bias {stored['bias']:.3f}" in said


@pytest.mark.parametrize("policy", ["log-linear", "weighted-sum", "nn-validation", "top3"])
def test_validation_probabilities_of_what_saw_validation_are_out_of_fold(made, fused, policy):
    fused(policy)
    model = load(made.fused(policy).path)
    in_sample = model.probs(features(made, "validation", *model.reads))
    assert np.abs(in_sample - probs(made, policy, "validation")).max() > 1e-4


def of_pairs(folder, labels):
    """A workspace whose validation ads each have a duplicate: ads 0 and 1, 2 and 3, and so on."""
    workspace, rng = Workspace(folder), np.random.default_rng(0)
    ads = {"train": [0, 1, 2], "validation": labels, "test": [0]}
    arrays = {
        f"{part}/{modality}_{kind}": rng.dirichlet(np.ones(3), len(of_part))
        for part, of_part in ads.items()
        for modality in ("text", "image")
        for kind in ("probs", "vectors")
    }
    groups = {part: np.arange(len(of_part)) // 2 for part, of_part in ads.items()}
    make_split(workspace, CATEGORIES, ads, groups=groups)
    write_arrays(workspace.features, [workspace.split], arrays)
    return workspace


def test_an_ads_duplicates_are_left_out_with_it(tmp_path):
    """A contradicting label of its duplicate does not change what is said of an ad."""
    found = []
    for name, second in (("a", 0), ("b", 1)):
        workspace = of_pairs(tmp_path / name, [0, second, *[0, 0, 1, 1, 2, 2] * 3])
        fuse(workspace, "--policy", "log-linear")
        found.append(probs(workspace, "log-linear", "validation"))
    np.testing.assert_array_equal(found[0][:2], found[1][:2])
    assert (found[0][2:] != found[1][2:]).any()


def test_too_few_ads_without_their_duplicates_are_told(tmp_path):
    workspace = of_pairs(tmp_path, [0, 1, 2, 0, 1, 2, 0, 1])
    words = ["-w", str(workspace.root), "fuse", "--policy", "log-linear"]
    stderr = CliRunner().invoke(app, words).stderr
    assert "8 validation ads, 4 without their duplicates, are too few to fit on; 5 are" in stderr


def test_fitting_on_answers_to_training_ads_is_said(made, fused):
    said = fused("nn")
    assert "predictions of their own training ads" in said
    assert made.fused("nn").manifest().notes["fitted_on"] == "train"
    fuse(made, "--policy", "image-boost", "--name", "other", "--fit-on", "validation", *QUICK)
    assert made.fused("other").manifest().notes["fitted_on"] == "validation"


def test_the_preset_has_the_published_settings_unless_options_say_otherwise(made):
    words = ("--preset", "thesis", "--max-epochs", 1, "--hidden-units", 9)
    fuse(made, "--policy", "nn-validation", "--name", "published", *words)
    settings = made.fused("published").manifest().settings
    assert settings["fit_on"] == "validation"
    assert settings["learning_rate"] == 0.00037065703854188836
    assert settings["watched"] == "validation_top1"
    assert settings["hidden_units"] == 9


def test_without_it_rates_and_sizes_follow_from_the_ads(made):
    fuse(made, "--policy", "concat", "--name", "small", "--max-epochs", 1)
    asked = made.fused("small").manifest().settings
    stored = json.loads((made.fused("small") / "params.json").read_text())["parameters"]
    expected = resolve(POLICIES["concat"], PolicySettings(), ADS["train"], len(CATEGORIES))
    for name in ("learning_rate", "l2_weight", "input_keep_probability", "transformer_size"):
        assert asked[name] is None
        assert stored["settings"][name] == getattr(expected, name)


def test_a_name_of_its_own(made):
    fuse(made, "--policy", "nn", "--name", "nn-small", "--fraction", 0.5, *QUICK)
    stored = json.loads((made.fused("nn-small") / "params.json").read_text())
    assert stored["parameters"]["ads"] == 30


def test_the_same_seed_gives_the_same_artifact(made, fused):
    fused("pool-aux")
    fuse(made, "--policy", "pool-aux", "--name", "again", *QUICK)
    assert made.fused("again").manifest().digest == made.fused("pool-aux").manifest().digest


def test_a_search_leaves_its_trials_and_trains_the_best(made):
    words = ("--policy", "nn", "--name", "tuned", "--tune", 3, "--tune-fraction", 0.5, *QUICK)
    fuse(made, *words)
    lines = (made.fused("tuned") / "trials.jsonl").read_text().splitlines()
    trials = [json.loads(line) for line in lines]
    stored = json.loads((made.fused("tuned") / "params.json").read_text())["parameters"]
    best = max(trials, key=lambda trial: trial["score"])
    assert len(trials) == 3
    assert best["settings"].items() <= stored["settings"].items()
    assert stored["ads"] == 60


def test_a_trial_of_a_search_on_validation_ads_is_the_final_fit_with_its_settings(tmp_path):
    """It learns from the same ads and is judged on the same ones: these are of pure chance."""
    workspace = of_pairs(tmp_path, np.random.default_rng(1).integers(0, 3, 100))
    words = ("--tune", 1, "--no-residual", "--max-epochs", 1, "--seed", 11)
    fuse(workspace, "--policy", "nn-validation", *words)
    (trial,) = read_json_lines(workspace.fused("nn-validation") / "trials.jsonl")
    stored = json.loads((workspace.fused("nn-validation") / "params.json").read_text())
    assert stored["parameters"]["validation_top1"] == trial["score"]
    assert stored["parameters"]["ads"] == 70
    notes = workspace.fused("nn-validation").manifest().notes
    assert notes["validation_probs"].startswith("out-of-fold, with settings that were chosen")
    flattered = {model.name: model.is_tuned_on_validation for model in all_models(workspace)}
    assert flattered["nn-validation"]


def test_a_trial_is_scored_by_what_it_learned_not_by_its_start(tmp_path):
    """Here the product, as which late networks start, is as good as any model can be."""
    arrays = Features(of_pairs(tmp_path / "chance", np.zeros(400, int)).features)
    product = np.prod([arrays.probs("validation", m) for m in ("text", "image")], axis=0)
    shares = product.cumsum(axis=1) / product.sum(axis=1, keepdims=True)
    drawn = (np.random.default_rng(0).random((400, 1)) > shares).sum(axis=1)
    workspace = of_pairs(tmp_path / "drawn", drawn)
    words = ("--tune", 1, "--max-epochs", 1, "--evaluate-every", 1, "--seed", 6)
    fuse(workspace, "--policy", "nn-validation", *words)
    (trial,) = read_json_lines(workspace.fused("nn-validation") / "trials.jsonl")
    with (workspace.fused("nn-validation") / "history.csv").open(newline="") as file:
        start, *learned = csv.DictReader(file)
    assert float(start["validation_loss"]) < float(learned[-1]["validation_loss"])
    assert start["validation_top1"] != learned[-1]["validation_top1"]
    assert trial["score"] == pytest.approx(float(learned[-1]["validation_top1"]))


@pytest.mark.parametrize("policy", OF_ARRAYS)
def test_the_manifest_has_what_the_policy_reads_and_the_command_line_its_values(
    made, fused, policy
):
    fused(policy)
    quick = {"max_epochs": 2, "evaluate_every": 1, "hidden_units": 8} if policy in NETWORKS else {}
    expected = {**options_read_by(Settings)[policy], **quick}
    assert expected.pop("name") == ""
    where = {name: expected.pop(name) for name in ("jobs", "spark") if name in expected}
    assert where == ({"jobs": 1, "spark": ""} if policy in NETWORKS else {})
    assert made.fused(policy).manifest().settings == expected


@pytest.mark.parametrize(
    ("policy", "read"),
    [
        ("max", {}),
        ("log-linear", {"regularisation": 1.0, "seed": 0, "folds": None}),
        ("top3", {"hidden_layers": 2, "fit_on": "validation"}),
        ("image-boost-prop", {"image_boost": 2.63906532934488, "residual": True}),
        ("pool", {"pooling": "average", "hidden_units": None, "standardise": True}),
    ],
)
def test_the_options_of_a_policy_have_its_own_defaults(policy, read):
    found = options_read_by(Settings)[policy]
    assert {"policy": policy, "name": "", **read}.items() <= found.items()
    assert (len(found) == 2 + len(read)) == (policy not in NETWORKS)
    unread = {"max": "seed", "log-linear": "tune", "image-boost-prop": "boost_form"}
    assert unread.get(policy, "aux_weight") not in found


def test_the_seed_of_log_linear_cuts_the_folds_and_nothing_else(made):
    names = ("seed-0", "seed-1")
    for seed, name in enumerate(names):
        fuse(made, "--policy", "log-linear", "--seed", seed, "--name", name)
    np.testing.assert_array_equal(*(probs(made, name) for name in names))
    first, second = (probs(made, name, "validation") for name in names)
    assert (first != second).any()


def test_a_model_that_is_no_better_than_a_classifier_says_so_and_what_helps(tmp_path):
    workspace = Workspace(tmp_path / "w")
    labels = {"train": [0, 1, 2], "validation": [0, 1, 2, 0, 1], "test": [0, 1, 2]}
    make_split(workspace, CATEGORIES, labels)
    arrays = {}
    for part, truth in labels.items():
        arrays[f"{part}/text_probs"] = certain(truth, 3)
        arrays[f"{part}/image_probs"] = certain([0] * len(truth), 3)
        for modality in ("text", "image"):
            arrays[f"{part}/{modality}_vectors"] = np.zeros((len(truth), 2))
    write_arrays(workspace.features, [workspace.split], arrays)
    said = fuse(workspace, "--policy", "max").stdout.splitlines()
    assert said[-2] == "max is no better than text on the validation ads"
    assert said[-1].startswith("what helps: more ads; classifiers trained with --folds")
