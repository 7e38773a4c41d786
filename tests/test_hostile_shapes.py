"""Files of the wrong shape that their manifests vouch for: one line, whatever artifact they are of."""

import json
import shutil

import numpy as np
import pytest
from handmade import make_search
from hostile import refusal, run
from pipeline import adcat, uncompiled
from sealed import seal

from adcat.learning.keras_files import save_network
from adcat.workspace.layout import Workspace

TEXT = ("predict", "--title", "volvo", "--model", "text")
IMAGE = ("predict", "--image", "{ads}/photos/1.jpg", "--model", "image")
CONCAT, LOG_LINEAR, ATTEND = (
    ("predict", "--title", "volvo", "--model", model)
    for model in ("concat", "log-linear", "attend-c-wh")
)
TABLE, PAGE = ("evaluate", "--json"), ("evaluate",)
SIMILAR, SIMILAR_ATTEND = (
    ("similar", "--by", model, "--k", "1", "--json") for model in ("concat", "attend-c-wh")
)
FUSE = ("fuse", "--policy", "concat", "--max-epochs", "1", "--name", "again")


def column_less(path):
    np.save(path, np.load(path)[..., :-1])


def row_less(path):
    np.save(path, np.load(path)[:-1])


def one_dimension_more(path):
    np.save(path, np.load(path)[None])


def of_another_kind(path):
    path.write_text(json.dumps({} if path.read_text()[0] == "[" else []))


def shorter(*keys):
    """JSON with a list that lacks its last item, or an object that lacks its last field."""

    def change(path):
        content = json.loads(path.read_text())
        inner = content
        for key in keys:
            inner = inner[key]
        inner.pop() if isinstance(inner, list) else inner.popitem()
        path.write_text(f"{json.dumps(content)}\n")

    return change


def line_less(path):
    path.write_text(path.read_text().rpartition("\n")[0])


def field_less(path):
    """A table without its last column."""
    path.write_text("\n".join(line.rpartition(",")[0] for line in path.read_text().splitlines()))


def of_other_layers(path):
    import keras

    inputs = keras.Input((5,))
    save_network(keras.Model(inputs, keras.layers.Dense(2)(inputs)), path)


def of_other_words(dim=8, labels=3, **options):
    """A fastText model of other texts; the true one has vectors of length 8 and 3 categories."""

    def change(path):
        import fasttext

        lines = path.with_name("lines.txt")
        lines.write_text("".join(f"__label__{i % labels} a b\n" for i in range(20)))
        fasttext.train_supervised(str(lines), dim=dim, verbose=0, **options).save_model(str(path))
        lines.unlink()

    return change


ARRAY, PROBS = (column_less, row_less, one_dimension_more), (column_less, row_less)
ROWS = (row_less, one_dimension_more)
# What is read, by the text model that the workspace has: file, the changes, the command.
READ = {
    "fasttext": {
        "split/categories.json": ((shorter(), of_another_kind), TABLE),
        "train-text/model.json": (
            (shorter("categories"), shorter(), of_another_kind),
            TEXT,
        ),
        "train-text/model.bin": (
            (of_other_words(dim=5), of_other_words(labels=4), of_other_words(loss="hs")),
            TEXT,
        ),
        "train-image/model.json": ((of_another_kind,), IMAGE),
        "train-image/model.keras": ((of_other_layers,), IMAGE),
        **{
            f"extract-features/{part}/{name}.npy": (ARRAY, TABLE if kind == "probs" else FUSE)
            for part in ("train", "validation", "test")
            for kind in ("probs", "vectors")
            for name in (f"text_{kind}", f"image_{kind}")
            if (part, kind) != ("train", "probs")
        },
        "extract-features/train/text_probs.npy": (ARRAY, FUSE),
        "extract-features/train/image_probs.npy": (ARRAY, FUSE),
        **{
            f"{model}/{part}/probs.npy": (PROBS, TABLE)
            for model in ("fuse/log-linear", "fuse/concat", "attend/c-wh")
            for part in ("validation", "test")
        },
        **{
            f"fuse/concat/{part}/vectors.npy": (ARRAY, SIMILAR)
            for part in ("train", "validation", "test")
        },
        **{
            f"attend/c-wh/{part}/vectors.npy": (ROWS, (*SIMILAR_ATTEND, "--among", part))
            for part in ("validation", "test")
        },
        "fuse/log-linear/params.json": (
            (shorter("parameters"), shorter("parameters", "prior"), shorter("reads")),
            LOG_LINEAR,
        ),
        "fuse/concat/params.json": ((shorter("reads"), of_another_kind), CONCAT),
        "fuse/concat/model.keras": ((of_other_layers,), CONCAT),
        "fuse/concat/history.csv": ((field_less,), PAGE),
        "attend/c-wh/model.json": ((of_another_kind,), ATTEND),
        "attend/c-wh/model.keras": ((of_other_layers,), ATTEND),
        "attend/c-wh/history.csv": ((field_less,), PAGE),
        "attend/c-wh/border.csv": ((field_less,), PAGE),
        "attend/c-wh/test/maps.npy": ((row_less,), PAGE),
        "attend-search/trials.jsonl": ((line_less, shorter(), shorter("setting")), PAGE),
    },
    "tfidf": {
        "train-text/vocabulary.txt": ((line_less,), TEXT),
        "train-text/analyzer.txt": ((of_another_kind,), TEXT),
        **{f"train-text/{name}.npy": (ARRAY, TEXT) for name in ("idf", "W", "b", "V")},
    },
    "cnn": {
        "train-text/vocabulary.json": ((shorter("words"), shorter("columns"), of_another_kind), TEXT),
        "train-text/model.keras": ((of_other_layers,), TEXT),
    },
}  # fmt: skip
UNREAD = {  # for people
    "split/rejected.csv", "split/contradictions.csv", "split/class_counts.csv", "train-text/history.csv",
    "attend/c-wh/validation/maps.npy", "fuse/log-linear/history.csv",
    "attend/c-wh/mean-maps.npy", "attend/c-wh/mean-maps.csv",
    "train-text/train_probs.npy",  # by extract-features while it is not current: test_named_classifiers
}  # fmt: skip
OPTIONS = {
    "fasttext": ("--dim", 8),
    "tfidf": (),
    "cnn": ("--cnn-epochs", 1, "--cnn-embedding-epochs", 1, "--folds", 0),
}
CASES = [
    pytest.param(kind, file, change, command, id=f"{kind} {file} {i}")
    for kind, files in READ.items()
    for file, (changes, command) in files.items()
    for i, change in enumerate(changes)
]


@pytest.fixture(scope="module")
def workspaces(with_models, tmp_path_factory):
    """A workspace with every kind of artifact, and its copies with other text models."""
    made = {}
    for kind, options in OPTIONS.items():
        folder = tmp_path_factory.mktemp("shapes") / kind
        ignored = shutil.ignore_patterns("*max", "top3", "*-only")
        shutil.copytree(with_models.root.parent, folder, ignore=ignored)
        made[kind] = Workspace(folder / with_models.root.name)
        if kind == "fasttext":
            make_search(made[kind], ("c", "wh", 0.1, [0.2, 0.3]))
        else:
            with uncompiled():
                adcat(made[kind], "train-text", "--model", kind, *options)
        seal(made[kind].root)
    return made


def test_every_file_is_read_or_for_people(workspaces):
    suffixes = {".npy", ".json", ".jsonl", ".csv", ".bin", ".keras", ".txt", ".parquet"}
    for kind, workspace in workspaces.items():
        found = {
            path.relative_to(workspace.root).as_posix()
            for name in (["[!.]*/**/*"] if kind == "fasttext" else ["train-text/*"])
            for path in workspace.root.glob(name)
            if path.suffix in suffixes and path.name != "manifest.json"
        }
        read = {*READ["fasttext"], *READ[kind], "split/ads.parquet", "split/categories.json"}
        assert found - UNREAD <= read
        assert set(READ[kind]) <= found


@pytest.mark.parametrize(("kind", "file", "change", "command"), CASES)
def test_a_file_of_the_wrong_shape_is_one_line(workspaces, kind, file, change, command):
    root = workspaces[kind].root
    path = root / file
    before = path.read_bytes()
    try:
        change(path)
        seal(root)
        found = refusal(run(root, *(word.format(ads=root.parent) for word in command)))
    finally:
        path.write_bytes(before)
        seal(root)
    assert "\n" not in found
    assert str(path.parent if path.parent.name == "train-text" else root) in found
