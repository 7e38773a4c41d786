"""A folder with what serving a model needs, and nothing else."""

import dataclasses
import json
import shutil
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from adcat.errors import BadInputError, expecting
from adcat.files import sha256, write_json
from adcat.fusion.fused_model import PARAMETERS, read_definition
from adcat.fusion.fused_model import files as fusion_files
from adcat.fusion.policy import ClosedForm, NetworkPolicy
from adcat.image.backbones import VECTORS
from adcat.image.classifier import FILES as IMAGE_MODEL_FILES
from adcat.image.classifier import ImageModel
from adcat.image.classifier import load as load_image_model
from adcat.image.inference import TENSORFLOW, Forward, vectors_of
from adcat.learning.runtime import import_tensorflow, silenced_stderr
from adcat.prediction.classifiers import EngineOf, classifier_at, forwards
from adcat.prediction.given_vectors import classifiers_of_vectors
from adcat.prediction.loading import facts_of, load_rules, stored_rules
from adcat.prediction.new_ads import Ad
from adcat.prediction.predictor import ModelFacts, Predictor, once
from adcat.prediction.rules import Rule, baselines
from adcat.text.registry import files as text_model_files
from adcat.text.registry import reading_of
from adcat.types import AVAILABILITIES, Availability, Modality, Probs
from adcat.workspace.command_lines import OF_NAME
from adcat.workspace.layout import Classifier, Workspace
from adcat.workspace.models import ModelProbs

Runtime: TypeAlias = Literal["onnx", "keras"]

DEFINITION = "serving.json"
ONNX = "model.onnx"  # in the folder of an image classifier
NEEDED = ("tf2onnx", "onnxruntime")  # to write and to check it
OUTPUTS = ("vectors", "probabilities")
OUTPUT: Mapping[Modality, str] = {"text": "o_txt", "image": "o_img"}  # in a formula


def export(workspace: Workspace, model: ModelProbs, folder: Path) -> dict[str, Any]:
    """Writes a model, both classifiers, of which one may stand in for it, and their preprocessing.

    The image network is written as Keras and as ONNX.

    Returns:
      What `serving.json` says.

    Raises:
      BadInputError: a package that ONNX needs is missing.
    """
    (rule, rules), facts = load_rules(model), facts_of(workspace, model)
    read = {name for one in (rule, *rules.values()) for name in one.reads}
    named = [
        classifier
        for classifier in workspace.named_classifiers()
        if any(array.endswith(OF_NAME + classifier.name) for array in read)
    ]
    if found := classifiers_of_vectors(workspace, [rule, *(rules[m] for m in rule.modalities)]):
        names = ", ".join(classifier.name for classifier in found)
        raise BadInputError(
            f"{model.name} reads vectors made elsewhere ({names}), which an export cannot make of "
            "texts and photos; export another --model"
        )
    unnamed = [c for c in workspace.classifiers() if c.name == c.modality]
    classifiers = [c for c in unnamed if not c.reads_vectors] + named
    modalities: set[Modality] = {classifier.modality for classifier in classifiers}
    missing = [name for name in NEEDED if not find_spec(name)]
    if "image" in modalities and missing:
        needed = f"the export to ONNX needs {' and '.join(missing)}"
        raise BadInputError(f"{needed}; type: pip install 'adcat[export]'")
    preprocessing: dict[str, str] = {}
    for classifier in classifiers:
        target = folder / classifier.array("probs").replace("_probs", "")  # as `text@words`
        preprocessing[target.name] = _copy_classifier(classifier, target, facts)
    if not model.modality:
        # An attention model is kept as an image model is.
        source = model.artifact.path
        _copy(source, folder / "fusion", {*fusion_files(source), *IMAGE_MODEL_FILES})
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    definition = {
        **dataclasses.asdict(facts),
        "files": {path.relative_to(folder).as_posix(): sha256(path) for path in files},
        "reads": rule.reads,
        "formulas": _formulas(model, rule, modalities),
        "preprocessing": preprocessing,
    }
    write_json(folder / DEFINITION, definition)
    return definition


def _copy_classifier(classifier: Classifier, target: Path, facts: ModelFacts) -> str:
    """Copies a classifier; returns what it reads, in words."""
    source = classifier.model.path
    if classifier.modality == "text":
        _copy(source, target, text_model_files(source))
        return reading_of(source).in_words
    _copy(source, target, IMAGE_MODEL_FILES)
    image = load_image_model(target).at(facts.layers.get(target.name, VECTORS))
    _write_onnx(image, target / ONNX)
    return _photo(image)


def _formulas(
    model: ModelProbs, rule: Rule, modalities: Collection[Modality]
) -> dict[Availability, str]:
    """How the probabilities p of an ad follow from the classifiers' o, by what it has."""
    formulas: dict[Availability, str] = {"none": "p = prior"}
    formulas |= {modality: f"p = {OUTPUT[modality]}" for modality in modalities}
    if model.is_baseline:
        return formulas
    formulas[AVAILABILITIES[rule.modalities]] = f"p = fusion/model.keras({', '.join(rule.reads)})"
    if not (model.folder / PARAMETERS).exists():
        return formulas
    fused = read_definition(model.folder)
    if not isinstance(fused.policy, NetworkPolicy):
        formulas["both"] = f"p ∝ {fused.policy.formula}"
    if isinstance(fused.policy, ClosedForm) and (single := fused.policy.single_modality):
        formulas |= dict.fromkeys(fused.alone or (), f"p ∝ {single.formula}")
    return formulas


def _photo(image: ImageModel) -> str:
    """What an image network reads, in words."""
    return (
        f"upright by its EXIF tag, on white where transparent; the central {image.central_fraction}"
        f" of width and height, resized to {image.side} x {image.side}, bilinear; RGB, -1 to 1"
    )


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    for name in names:
        if (source / name).exists():  # a policy in closed form has no network
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)


def load(
    folder: Path | str, runtime: Runtime = "keras", engine_of: EngineOf = lambda _: TENSORFLOW
) -> Predictor:
    """Reads an exported model; its classifiers only when they are first needed.

    Args:
      folder: what `adcat export` has written.
      runtime: what runs the image network; the predictions are the same.
      engine_of: what runs an image classifier as Keras has it.

    Raises:
      BadInputError: the folder holds something else, or a file has changed.
    """
    folder = Path(folder)
    facts = _read_facts(folder)
    prior = np.array(facts.prior, np.float32)
    if (folder / "fusion").exists():
        main, found = stored_rules(folder / "fusion")
        own = AVAILABILITIES[main.modalities]
    else:
        own, found = cast(Availability, facts.model), baselines()
    rules: dict[Availability, Rule] = {"none": Rule((), lambda _: prior)}
    rules |= {k: rule for k, rule in found.items() if k == own or (folder / k).exists()}
    names = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]

    def of(modality: Modality, read: Callable[[Path], Any]) -> dict[str, Callable[[], Any]]:
        there = [name for name in names if name.partition(OF_NAME)[0] == modality]
        found = {name.removeprefix(modality): folder / name for name in there}
        return {end: once(lambda path=path: read(path)) for end, path in found.items()}

    def read(path: Path) -> Any:
        modality = cast(Modality, path.name.partition(OF_NAME)[0])
        return classifier_at(path, modality, facts.categories, facts.layers.get(path.name, VECTORS))

    images = of("image", read)
    return Predictor(
        facts=facts,
        model=rules[own],
        rules=rules,
        text=of("text", lambda path: (read(path), reading_of(path))),
        image=images,
        forward=forwards(images, engine_of) if runtime == "keras" else of("image", onnx_forward),
    )


def _read_facts(folder: Path) -> ModelFacts:
    """Reads what `serving.json` says, and checks that the files are those that it lists."""
    path = folder / DEFINITION
    if not path.exists():
        raise BadInputError(f"{path} is missing; expected a folder that adcat export has written")
    with expecting(path, "description of an exported model"):
        # Earlier versions knew no other layers.
        content = {"layers": {}, **json.loads(path.read_text(encoding="utf-8"))}
        facts = ModelFacts(*(content[field.name] for field in dataclasses.fields(ModelFacts)))
        facts = dataclasses.replace(facts, layers=dict(facts.layers))
        if len(facts.prior) != len(facts.categories):
            raise ValueError(f"{len(facts.prior)} shares of {len(facts.categories)} categories")
        files = dict(content["files"])
    for name, digest in files.items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise BadInputError(f"{folder / name} is missing or differs; copy or export it again")
    return facts


def _write_onnx(model: ImageModel, path: Path) -> None:
    """Writes the image network: photos [n, side, side, 3] -> vectors and probabilities."""
    keras = import_tensorflow().keras
    network = model.network
    outputs = dict(zip(OUTPUTS, (vectors_of(network, model.layer), network.output), strict=True))
    both = keras.Model(network.input, outputs)
    shape = (None, model.side, model.side, 3)
    both(np.zeros((1, *shape[1:]), np.float32))  # Keras exports what was called once
    images = keras.InputSpec(shape=shape, dtype="float32", name="photos")
    # Keras asks NumPy for names that it dropped; TensorFlow warns of missing GPUs.
    with warnings.catch_warnings(action="ignore"), silenced_stderr():
        both.export(path, format="onnx", verbose=False, input_signature=[images])


def onnx_forward(folder: Path) -> "Forward":
    """Runs an exported network: photos -> vectors [b, dimension] and probabilities."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    session = onnxruntime.InferenceSession(folder / ONNX, providers=["CPUExecutionProvider"])
    return lambda images: session.run(list(OUTPUTS), {"photos": images})


def largest_difference(
    predictor: Predictor, ads: Sequence[Ad], images: Path, expected: Probs
) -> float:
    """The largest difference between a predictor's probabilities and the expected ones.

    Args:
      predictor: an exported model's.
      ads: n of them.
      images: the folder that photos' names are relative to.
      expected: [n, categories].
    """
    found = np.zeros_like(expected)
    batches = predictor.stream([ads], images, expected.shape[1], 0)
    for prediction in (prediction for predictions in batches for prediction in predictions):
        found[prediction.ad.row - 1, prediction.categories] = prediction.probabilities
    return float(np.abs(found - expected).max(initial=0))
