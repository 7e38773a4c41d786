"""Nothing is unpickled and no code in a file is run: the package is searched, and it is tried."""

import ast
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import refusal, run
from sealed import Payload, pickled, seal

import adcat
from adcat.errors import BadInputError
from adcat.image.backbones import BACKBONES, load_weights
from adcat.image.weights import convert
from adcat.learning.runtime import import_tensorflow

CONVERSION = Path(convert.__file__)  # is run by developers only, and unpickles tensors only
SOURCES = sorted(set(Path(adcat.__file__).parent.rglob("*.py")) - {CONVERSION})
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal",
           "yaml", "torch", "subprocess"}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "read_pickle", "to_pickle",
         "enable_unsafe_deserialization", "Markup"}  # fmt: skip
SAFE = {"np.load": ("allow_pickle", False), "saving.load_model": ("safe_mode", True)}


def parts_of(path, kind):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


@pytest.mark.parametrize("path", SOURCES, ids=["/".join(path.parts[-2:]) for path in SOURCES])
def test_no_module_unpickles_or_runs_what_it_reads(path):
    imports = {alias.name for node in parts_of(path, ast.Import) for alias in node.names}
    imports |= {node.module or "" for node in parts_of(path, ast.ImportFrom)}
    assert MODULES.isdisjoint(name.partition(".")[0] for name in imports)
    for call in parts_of(path, ast.Call):
        name = ast.unparse(call.func)
        assert name not in CALLS
        assert name.partition(".")[2] not in CALLS - {"compile"}  # `re.compile`, Keras' own
        if name.rpartition(".")[2] in ("load", "load_model") and name in SAFE:
            option, value = SAFE[name]
            given = {word.arg: ast.literal_eval(word.value) for word in call.keywords
                     if word.arg == option}  # fmt: skip
            assert given == {option: value}


def test_the_search_knows_every_way_that_arrays_and_networks_are_read():
    names = {ast.unparse(call.func) for path in SOURCES for call in parts_of(path, ast.Call)}
    readers = {name for name in names if name.rpartition(".")[2] in ("load", "load_model")}
    ours = {"load", "classifier.load", "module.load", "fusion.load", "attention.load",
            "images.load", "texts.load", "registry.load", "image_classifier.load",
            "heads.load"}  # fmt: skip
    assert readers - ours == {*SAFE, "fasttext.load_model", "image.load"}  # the last is Pillow's


@pytest.fixture
def folder(with_models):
    """The folder of a workspace with real models, made by the commands."""
    return with_models.root.parent


@pytest.fixture
def root(folder, tmp_path):
    unread = shutil.ignore_patterns("attend", "top3", "*-only")
    return shutil.copytree(folder / "w", tmp_path / "w", ignore=unread)


def predict(model):
    image = ["--image", "{folder}/photos/0.jpg"]
    return ["predict", "--title", "volvo", "--model", model, *(image if model != "text" else [])]


EVALUATE, FUSE = ["evaluate"], ["fuse", "--policy", "sum-max"]
READ_BY = {
    "split/ads.parquet": EVALUATE,
    "split/categories.json": EVALUATE,
    "train-text/model.bin": predict("text"),
    "train-text/model.json": predict("text"),
    "train-image/model.keras": predict("image"),
    "train-image/model.json": predict("image"),
    "extract-features/test/text_probs.npy": EVALUATE,
    "extract-features/train/text_vectors.npy": FUSE,
    "fuse/max/test/probs.npy": EVALUATE,
    "fuse/max/params.json": EVALUATE,
    "fuse/concat/params.json": predict("concat"),
    "fuse/concat/model.keras": predict("concat"),
}


def check(folder, root, name, expected):
    seal(root)
    words = [word.format(folder=folder) for word in READ_BY[name]]
    message = refusal(run(root, *words))
    assert message.startswith(str(root / Path(name).parent))
    assert expected in message


def test_the_payload_would_leave_a_trace(tmp_path):
    pickle.loads(pickled(tmp_path / "trace"))
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", READ_BY)
def test_a_pickle_in_disguise_is_not_unpickled(folder, root, tmp_path, name):
    (root / name).write_bytes(pickled(tmp_path / "trace"))
    check(folder, root, name, " is not a valid ")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", [name for name in READ_BY if name.endswith(".npy")])
def test_an_array_of_objects_is_not_unpickled(folder, root, tmp_path, name):
    objects = np.array([[Payload(tmp_path / "trace")]], dtype=object)
    np.save(root / name, objects, allow_pickle=True)
    check(folder, root, name, " is not a valid array: ")
    assert not (tmp_path / "trace").exists()


def test_a_manifest_is_not_unpickled(root, tmp_path):
    (root / "split/manifest.json").write_bytes(pickled(tmp_path / "trace"))
    assert "is not a manifest of adcat" in refusal(run(root, "evaluate"))
    assert not (tmp_path / "trace").exists()


def test_published_weights_are_tensors_and_nothing_else(tmp_path):
    (tmp_path / "w.pth").write_bytes(pickled(tmp_path / "trace"))
    with pytest.raises(pickle.UnpicklingError, match="does not belong to a tensor"):
        convert.read_tensors(tmp_path / "w.pth")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5", "w.keras"])
def test_weights_are_not_unpickled(tmp_path, name):
    layers = import_tensorflow().keras.layers
    network = import_tensorflow().keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    (tmp_path / name).write_bytes(pickled(tmp_path / "trace"))
    with pytest.raises(BadInputError, match="holds no weights of inception-v3"):
        load_weights(network, BACKBONES["inception-v3"], tmp_path / name)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", [name for name in READ_BY if name.endswith(".keras")])
def test_a_network_with_code_of_its_own_is_refused(folder, root, tmp_path, name):
    keras = import_tensorflow().keras
    inputs = keras.Input((24, 24, 3))
    trace = str(tmp_path / "trace")
    outputs = keras.layers.Lambda(lambda x: (__import__("os").mkdir(trace), x)[1])(inputs)
    Path(trace).rmdir()  # made when the layer was called here
    keras.Model(inputs, outputs).save(root / name)
    check(folder, root, name, "Lambda")
    assert not Path(trace).exists()


def test_a_network_that_names_a_function_of_the_system_is_refused(folder, root, tmp_path):
    name = "train-image/model.keras"
    with zipfile.ZipFile(root / name) as file:
        contents = {entry: file.read(entry) for entry in file.namelist()}
    config = {"module": "os", "class_name": "mkdir", "registered_name": "mkdir",
              "config": {"path": str(tmp_path / "trace")}}  # fmt: skip
    contents["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(root / name, "w") as file:
        for entry, content in contents.items():
            file.writestr(entry, content)
    check(folder, root, name, " is not a valid Keras model: ")
    assert not (tmp_path / "trace").exists()
