import dataclasses

import numpy as np
import pytest
from handmade import NETWORKS
from pipeline import uncompiled

from adcat.errors import BadInputError, DivergedError
from adcat.fusion import fitting, fused_model, networks
from adcat.fusion.data_size import resolve
from adcat.fusion.fitting import Material, PartArrays
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings
from adcat.learning.runtime import seeded_tensorflow
from adcat.parallel.processes import in_processes
from adcat.progress import Silent

CATEGORIES = 4
QUICK = PolicySettings(
    hidden_units=16, transformer_size=12, learning_rate=0.02, batch_size=16, max_epochs=6,
    keep_probability=1.0, input_keep_probability=1.0, l2_weight=0.0, evaluate_every=1,
    watched="validation_top1", residual=False,
)  # fmt: skip


def part(ads, seed):
    """What two imperfect baselines say of some ads: text errs on other ads than the photo."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CATEGORIES, ads)
    arrays = {}
    for modality, clarity, size in (("image", 1.5, 8), ("text", 2.0, 6)):
        centres = np.random.default_rng(size).normal(size=(CATEGORIES, size))
        arrays[f"{modality}_vectors"] = centres[labels] * clarity + rng.normal(size=(ads, size))
        logits = rng.normal(size=(ads, CATEGORIES)) + clarity * np.eye(CATEGORIES)[labels]
        powers = np.exp(logits)
        arrays[f"{modality}_probs"] = powers / powers.sum(axis=1, keepdims=True)
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    return PartArrays(arrays, labels, np.full(ads, "both"), np.arange(ads))


@pytest.fixture(scope="module")
def material():
    return Material(part(400, 0), part(100, 1), CATEGORIES)


def fit(policy, material, settings=QUICK, rows=None, **changes):
    rows = fitting.everything(material) | ({} if rows is None else {"validation": rows})
    settings = dataclasses.replace(settings, **changes)
    return fitting.fit(POLICIES[policy], material, rows, settings, Silent())


def predictions(model, part):
    return model.probs([part.arrays[name] for name in model.reads])


def top1(model, part):
    return (predictions(model, part).argmax(axis=1) == part.labels).mean()


@pytest.mark.parametrize("policy", NETWORKS)
def test_every_network_learns_is_kept_and_answers_with_probabilities(policy, material, tmp_path):
    settings = dataclasses.replace(QUICK, aux_weight=0.1, keep_probability=0.9, l2_weight=1e-4)
    model, history = fit(policy, material, settings)
    model.save(tmp_path)
    found = predictions(fused_model.load(tmp_path), material.validation)
    np.testing.assert_array_equal(found, predictions(model, material.validation))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    best_guess = np.bincount(material.validation.labels).max() / 100
    assert top1(model, material.validation) > best_guess + 0.15
    assert top1(model, material.validation) == pytest.approx(model.parameters["validation_top1"])
    assert top1(model, material.train) == pytest.approx(model.parameters["train_top1"])
    assert history[-1].epoch == model.parameters["last_epoch"] == 6


def test_no_duplicate_of_an_ad_that_a_network_learns_from_is_validated_on(material):
    groups = np.arange(100) // 4
    seen = dataclasses.replace(material.validation, groups=groups)
    settings = dataclasses.replace(QUICK, fit_on="validation")
    of_groups = dataclasses.replace(material, validation=seen)
    policy = POLICIES["nn-validation"]
    learnt, validated = fitting.samples(policy, of_groups, fitting.everything(of_groups), settings)
    assert not set(groups[learnt.rows]) & set(groups[validated.rows])
    assert abs(len(learnt) - 70) <= 2
    assert len(learnt) + len(validated) == 100


@pytest.mark.parametrize("policy", POLICIES)
def test_options_and_published_values_are_settings(policy):
    names = {field.name for field in dataclasses.fields(PolicySettings)}
    assert set(POLICIES[policy].published) <= set(POLICIES[policy].options) <= names
    assert bool(POLICIES[policy].published) == (policy in NETWORKS)


# Settings with which every option that a policy reads matters, and others for all of them.
SENSITIVE = PolicySettings(
    evaluate_every=1, hidden_units=8, learning_rate=0.05, keep_probability=0.8, l2_weight=0.01,
    max_epochs=1, input_keep_probability=0.8, residual=True,
    image_boost=2.0, image_power=0.5, text_power=2.0, transformer_size=8, aux_weight=1.0,
)  # fmt: skip
OTHERS = {
    "initial_deviation": 0.1, "fit_on": "validation", "policy_share": 0.5, "fraction": 0.5,
    "hidden_layers": 2, "hidden_units": 9,
    "hidden_activation": "sigmoid", "learning_rate": 0.02, "optimizer": "sgd",
    "keep_probability": 0.5, "l2_weight": 0.0, "batch_size": 16, "standardise": True,
    "evaluate_every": 10, "watched": "validation_top1", "residual": False,
    "schedule": "prose", "max_epochs": 2, "seed": 1, "regularisation": 50.0, "image_boost": 3.0,
    "boost_form": "one-plus-c", "image_power": 3.0, "text_power": 3.0, "renormalise": True,
    "l2_normalise_text": True, "transformer_size": 9, "transformer_activation": "tanh",
    "input_keep_probability": 1.0, "transform_image": False, "transform_text": False,
    "transformer_dropout": True,
    "pairs": 1, "pooling": "max", "similarity": "dot", "negatives": 3, "aux_weight": 0.0,
}  # fmt: skip
OF_THE_COMMAND = {  # not of what a fit finds
    "tune", "tune_algorithm", "tune_fraction", "jobs", "spark", "models", "folds", "curve_every",
}  # fmt: skip
LATE = {  # what it takes to matter
    "policy_share": {"fit_on": "validation"},
    "schedule": {"learning_rate": 1e-9, "max_epochs": 20},
    "evaluate_every": {"max_epochs": 3},
    "watched": {"max_epochs": 20, "learning_rate": 0.3},
}


@pytest.fixture(scope="module")
def square():
    """As `material`, with vectors as long as the transformed ones."""
    parts = []
    for made in (part(60, 0), part(40, 1)):
        longer = np.pad(made.arrays["text_vectors"], ((0, 0), (0, 2)))
        parts.append(dataclasses.replace(made, arrays={**made.arrays, "text_vectors": longer}))
    return Material(*parts, CATEGORIES)


def result(policy, material, settings):
    """What a fit finds: its validation probabilities and how long it took."""
    with uncompiled():
        model, _ = fit(policy, material, settings, np.arange(40))
    return predictions(model, material.validation).tobytes(), model.parameters.get("last_epoch")


def test_every_setting_has_another_value():
    assert set(OTHERS) | OF_THE_COMMAND == {
        field.name for field in dataclasses.fields(PolicySettings)
    }


TYPICAL = {"nn", "top3", "concat"}  # of the networks, which take seconds


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(policy, marks=[pytest.mark.soak] * (policy in {*NETWORKS} - TYPICAL))
        for policy in POLICIES
    ],
)
def test_what_a_policy_does_not_read_changes_nothing(policy, square):
    unread = {name: v for name, v in OTHERS.items() if name not in POLICIES[policy].options}
    changed = dataclasses.replace(
        SENSITIVE, **unread, **({} if policy in NETWORKS else {"tune": 3})
    )
    assert result(policy, square, changed) == result(policy, square, SENSITIVE)


def read_options():
    """Every policy's own options, and for one policy those that all networks share."""
    shared = set.intersection(*(set(POLICIES[policy].options) for policy in NETWORKS))
    for policy in POLICIES:
        for name in POLICIES[policy].options:
            if name not in OF_THE_COMMAND and (name not in shared or policy == "nn"):
                yield policy, name


@pytest.mark.soak
@pytest.mark.parametrize(("policy", "name"), [*read_options()])
def test_what_a_policy_reads_changes_what_it_finds(policy, name, square):
    if (policy, name) == ("log-linear", "seed"):
        pytest.skip("it cuts the folds: see test_fuse.py")
    before = dataclasses.replace(SENSITIVE, **LATE.get(name, {}))
    after = dataclasses.replace(before, **{name: OTHERS[name]})
    assert result(policy, square, after) != result(policy, square, before)


@pytest.mark.soak
def test_the_same_seed_gives_the_same_network_bit_for_bit(material):
    settings = dataclasses.replace(QUICK, keep_probability=0.7, aux_weight=0.1)
    first, second, other = (fit("pool-aux", material, settings, seed=s)[0] for s in (3, 3, 4))
    for a, b in zip(first.network.get_weights(), second.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (
        predictions(first, material.validation) != predictions(other, material.validation)
    ).any()


def test_the_best_epochs_weights_are_kept(material):
    settings = dataclasses.replace(QUICK, learning_rate=0.5, max_epochs=12)
    model, history = fit("nn", material, settings)
    last_of_epoch = {point.epoch: point.validation_top1 for point in history}
    assert model.parameters["validation_top1"] == max(last_of_epoch.values())
    best = model.parameters["best_epoch"]
    assert last_of_epoch[best] == max(last_of_epoch.values())
    assert all(last_of_epoch[epoch] < last_of_epoch[best] for epoch in range(1, best))


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        (0.01, range(1, 201)),
        (0.04, range(4, 201, 4)),
        (0.128, (13, 26, 38, 51, 64, 77, 90, 100, 113, 126, 138, 151, 164, 177, 190, 200)),
        (0.001, range(1, 201)),  # no more than there are steps
        (1, (100, 200)),
    ],
)
def test_the_first_two_epochs_have_a_point_per_share_of_the_ads(every, steps, material):
    """400 ads in batches of 4 are 100 steps an epoch."""
    settings = dataclasses.replace(QUICK, batch_size=4, max_epochs=4, curve_every=every)
    _, history = fit("nn", material, settings)
    assert [point.step for point in history] == [*steps, 300, 400]
    assert [point.epoch for point in history[-2:]] == [3, 4]


def test_the_points_of_a_curve_change_nothing_of_the_network(material):
    few, many = (fit("nn", material, max_epochs=3, curve_every=every) for every in (1, 0.01))
    np.testing.assert_array_equal(*(predictions(m, material.validation) for m, _ in (few, many)))
    assert [p for p in many[1] if p.step % 25 == 0] == few[1]


def test_the_preset_has_a_point_per_6400_ads_of_the_thesis():
    published = {name: POLICIES[name].published["curve_every"] for name in NETWORKS}
    assert published.pop("nn-validation") == 0.128
    assert set(published.values()) == {0.01}


def test_learning_ends_by_algorithm_1(material):
    settings = dataclasses.replace(QUICK, learning_rate=1e-9, max_epochs=200)
    model, _ = fit("nn", material, settings)
    assert model.parameters["last_epoch"] == 14
    assert model.parameters["best_epoch"] == 1


def test_a_rate_that_is_far_too_high_is_a_clear_error(material):
    settings = dataclasses.replace(
        QUICK, learning_rate=1e30, optimizer="sgd", hidden_activation="relu"
    )
    with pytest.raises(DivergedError, match=r"nn diverged in epoch \d+.*lower --learning-rate"):
        fit("nn", material, settings)


def test_in_the_validation_regime_the_training_part_is_never_read(material):
    unreadable = dataclasses.replace(material.train, arrays={})
    model, _ = fit("nn", Material(unreadable, material.validation, CATEGORIES), fit_on="validation")
    assert model.parameters["ads"] == 70


def test_validation_ads_that_are_left_out_change_nothing(material):
    """Out-of-fold probabilities are honest only if a fold's model cannot know its ads."""
    shown, hidden = np.arange(80), np.arange(80, 100)
    poisoned = {name: a.copy() for name, a in material.validation.arrays.items()}
    for array in poisoned.values():
        array[hidden] = 1 - array[hidden]
    changed = dataclasses.replace(material.validation, arrays=poisoned)
    models = [
        fit(
            "nn", Material(material.train, validation, CATEGORIES), rows=shown, fit_on="validation"
        )[0]
        for validation in (material.validation, changed)
    ]
    np.testing.assert_array_equal(*(predictions(model, material.validation) for model in models))


def test_the_share_of_the_validation_ads_that_is_learned_from(material):
    policy, rows = POLICIES["nn-validation"], fitting.everything(material)
    for share, learned_from in ((0.5, 50), (0.9, 90)):
        settings = dataclasses.replace(QUICK, fit_on="validation", policy_share=share)
        learnt, judged = fitting.samples(policy, material, rows, settings)
        assert (len(learnt), len(judged)) == (learned_from, 100 - learned_from)
        assert not set(learnt.rows) & set(judged.rows)


@pytest.mark.parametrize(("settings", "deviation"), [({}, 0.01), ({"initial_deviation": 0.1}, 0.1)])
def test_initial_weights_have_the_deviation_asked_for_and_end_at_two_of_them(settings, deviation):
    keras = seeded_tensorflow(0).keras
    policy = POLICIES["concat"]
    sizes = resolve(policy, dataclasses.replace(PolicySettings(), **settings), 1000, 3)
    inputs, prepared = networks.prepare(policy.reads, [50, 40], sizes)
    network = keras.Model(inputs, policy.build(prepared, 3, sizes).logits)
    kernels = [weight.numpy() for weight in network.weights if weight.name == "kernel"]
    assert len(kernels) == 4
    for kernel in kernels:
        assert 1.5 * deviation < abs(kernel).max() <= 2 * deviation
        assert kernel.std() == pytest.approx(0.88 * deviation, rel=0.15)


def test_a_fraction_of_the_ads(material):
    assert fit("nn", material, fraction=0.1)[0].parameters["ads"] == 40
    with pytest.raises(BadInputError, match="has 0 ads to learn from"):
        fit("nn", material, fraction=0.001)


def test_inputs_are_standardised_inside_the_model(material):
    """Scaling the vectors changes nothing once they are standardised."""
    scaled = [
        dataclasses.replace(p, arrays={name: a * np.float32(4) for name, a in p.arrays.items()})
        for p in (material.train, material.validation)
    ]
    settings = dataclasses.replace(QUICK, standardise=True, max_epochs=2)
    plain, _ = fit("concat", material, settings)
    other, _ = fit("concat", Material(*scaled, CATEGORIES), settings)
    found = predictions(other, scaled[1])
    np.testing.assert_allclose(found, predictions(plain, material.validation), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("renormalise", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_temperature_raises_probabilities_to_their_powers(material, renormalise):
    """The temperature network equals the plain one on powers taken outside."""
    settings = dataclasses.replace(
        QUICK, image_power=0.5, text_power=2.0, renormalise=renormalise, max_epochs=2
    )
    powered = []
    for p in (material.train, material.validation):
        arrays = {
            "image_probs": p.arrays["image_probs"] ** 0.5,
            "text_probs": p.arrays["text_probs"] ** 2,
        }
        if renormalise:
            arrays = {name: a / a.sum(axis=1, keepdims=True) for name, a in arrays.items()}
        powered.append(dataclasses.replace(p, arrays=arrays))
    inside, _ = fit("temperature", material, settings)
    outside, _ = fit("nn", Material(*powered, CATEGORIES), settings)
    expected = predictions(outside, powered[1])
    np.testing.assert_allclose(predictions(inside, material.validation), expected, rtol=1e-4)


def test_one_plus_c_is_c_plus_one(material):
    forms = [
        dataclasses.replace(QUICK, image_boost=0.5, boost_form="one-plus-c"),
        dataclasses.replace(QUICK, image_boost=1.5, boost_form="c"),
    ]
    first, second = (fit("image-boost", material, settings)[0] for settings in forms)
    np.testing.assert_array_equal(
        predictions(first, material.validation), predictions(second, material.validation)
    )


def test_top3_believes_of_each_ad_the_classifier_that_is_sure():
    """Image and text take turns in being sure and right; the other is wrong and unsure."""
    labels = np.arange(400) % CATEGORIES
    sure, unsure = (rest + (1 - 4 * rest) * np.eye(CATEGORIES) for rest in (0.02, 0.2))
    right, wrong = sure[labels], unsure[(labels + 1) % CATEGORIES]
    turn = np.arange(400)[:, None] % 3 == 0
    probs = {
        "image_probs": np.where(turn, right, wrong),
        "text_probs": np.where(turn, wrong, right),
    }
    arrays = {name: array.astype(np.float32) for name, array in probs.items()}
    ads = PartArrays(arrays, labels, np.full(400, "both"), np.arange(400))
    settings = {"hidden_layers": 2, "max_epochs": 40, "watched": "validation_loss"}
    model, _ = fit("top3", Material(ads, ads, CATEGORIES), **settings)
    image, text = arrays.values()
    weights = (predictions(model, ads) - text)[:, 0] / (image - text)[:, 0]
    assert weights[turn[:, 0]].min() > 0.9
    assert weights[~turn[:, 0]].max() < 0.1


@pytest.mark.parametrize("layers", [1, 2, pytest.param(3, marks=pytest.mark.soak)])
def test_hidden_layers(material, layers):
    settings = dataclasses.replace(QUICK, hidden_layers=layers, max_epochs=1)
    model, _ = fit("nn", material, settings)
    assert len(model.network.get_weights()) == 2 * (layers + 1)


def test_pooling_needs_vectors_of_equal_length(material):
    with pytest.raises(
        BadInputError, match="pooling needs vectors of equal length, found 12 and 6"
    ):
        fit("pool", material, dataclasses.replace(QUICK, transform_text=False))


def of_dropout(changes):
    """What a network that draws at every step answers, and the history of its training."""
    material = Material(part(400, 0), part(100, 1), CATEGORIES)
    drawing = {"keep_probability": 0.5, "input_keep_probability": 0.5, "aux_weight": 0.1}
    model, history = fit("pool-aux", material, **drawing, **changes)
    return predictions(model, material.validation), history


@pytest.mark.soak  # compiles networks in two processes
def test_a_training_depends_on_nothing_that_ran_before_it_in_its_process():
    settings = {"hidden_units": 12}
    for before in ({"optimizer": "sgd", "seed": 1}, settings):  # the latter compiles for both
        of_dropout(before)
    found, history = of_dropout(settings)
    with in_processes(1) as run:
        ((alone, history_alone),) = run(of_dropout, [settings])
    np.testing.assert_array_equal(found, alone)
    assert history == history_alone
