"""Artifacts written by hand: a split, the baselines' probabilities, a fused model's."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from adcat.files import append_json_line
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy import ClosedForm, NetworkPolicy
from adcat.tables import write_records
from adcat.workspace.ads_table import ads_schema

CLOSED_FORMS = [name for name, policy in POLICIES.items() if isinstance(policy, ClosedForm)]
NETWORKS = [name for name, policy in POLICIES.items() if isinstance(policy, NetworkPolicy)]


@dataclasses.dataclass(frozen=True)
class Made:
    seed: int = 0


def make_split(
    workspace, categories, labels, images="", titles=None, availabilities=None, groups=None
):
    """`labels`: part -> the categories of its ads; `titles` and so on: theirs, by part too."""
    ads = [
        {
            "id": f"{part}-{i}",
            "part": part,
            "row": i + 1,
            "group": groups[part][i] if groups else i + 1,
            "title": titles[part][i] if titles else f"{part} {i}",
            "description": "",
            "category": categories[label],
            "label": int(label),
            "image": f"{part}-{i}.png",
            "image_digest": "",
            **({"modality": availabilities[part][i]} if availabilities else {}),
        }
        for part, of_part in labels.items()
        for i, label in enumerate(of_part)
    ]
    with workspace.split.write(Made()) as staging:
        pq.write_table(
            pa.Table.from_pylist(ads, ads_schema(incomplete=bool(availabilities))),
            staging.folder / "ads.parquet",
        )
        (staging.folder / "categories.json").write_text(json.dumps(categories))
        staging.record["images"] = str(images)


def make_classifier(workspace, modality, settings=Made(), history=()):
    """What `evaluate --compare thesis` asks of a classifier; `history`: what its training filed."""
    with workspace.classifier(modality).model.write(settings, [workspace.split]) as staging:
        if history:
            write_records(staging.folder / "history.csv", history)


def make_features(workspace, probs):
    """`probs`: part -> modality -> [n, categories]."""
    arrays = {
        f"{part}/{modality}_probs": array
        for part, both in probs.items()
        for modality, array in both.items()
    }
    write_arrays(workspace.features, [workspace.split], arrays)


def make_fused(
    workspace, name, probs, policy="max", reads="probs", history=(), notes=(), learned=(),
    **settings
):  # fmt: skip
    """`probs`: part -> [n, categories]; `history`: what a network's training has filed."""
    arrays = {f"{part}/probs": array for part, array in probs.items()}
    made = dataclasses.make_dataclass("Made", {**settings, "seed": 0})(**settings, seed=0)
    with workspace.fused(name).write(made, [workspace.features]) as staging:
        write_files(staging, arrays)
        staging.notes.update(notes)
        reads = [f"{modality}_{reads}" for modality in ("image", "text")]
        params = {"policy": policy, "reads": reads, "parameters": dict(learned)}
        (staging.folder / "params.json").write_text(json.dumps(params))
        if history:
            write_records(staging.folder / "history.csv", history)


DRAWN = ("figure-5.9", "figure-5.10", "figure-5.11", "mean-maps")


def make_attention(workspace, name, probs, maps, point="c", over="wh", drawn=DRAWN):
    """`probs`: part -> [n, categories]; `maps`: where it looked at the test ads: [n, 9]."""
    settings = dataclasses.make_dataclass("Made", ["insert_at", "over", "seed"])(point, over, 0)
    with workspace.attention(name).write(settings, [workspace.features]) as staging:
        write_files(staging, {f"{part}/probs": array for part, array in probs.items()})
        write_files(staging, {"test/maps": maps})
        write_records(staging.folder / "history.csv", LEARNED)
        (staging.folder / "figures").mkdir()
        (staging.folder / "galleries").mkdir()
        if over == "wh":
            share = np.delete(maps, 4, axis=1).sum(axis=1).mean()  # all but the middle
            columns = ("ads where", "ads", "attention at the border", "flat attention")
            row = dict(zip(columns, ("all ads", len(maps), share, 8 / 9), strict=True))
            write_records(staging.folder / "border.csv", [row])
            for name in drawn:
                picture = Image.new("RGB", (1122, 800), (20 * len(name), 80, 80))
                picture.save(staging.folder / f"figures/{name}.png")


LEARNED = [
    {"epoch": 0.0, "learning_rate": 0.1, "train_loss": None, "train_top1": None,
     "validation_loss": 2.0, "validation_top1": 0.25},
    {"epoch": 0.5, "learning_rate": 0.1, "train_loss": 1.0, "train_top1": 0.5,
     "validation_loss": 1.5, "validation_top1": 0.5},
    {"epoch": 1.0, "learning_rate": 0.1, "train_loss": 0.5, "train_top1": 0.75,
     "validation_loss": 1.25, "validation_top1": 0.375},
]  # fmt: skip


def make_search(workspace, *trials):
    """Each trial: insertion point, over, learning rate, validation top-1 of its evaluations."""
    with workspace.attention_search.write(Made(), [workspace.features]) as staging:
        for point, over, rate, scores in trials:
            setting = {"insert_at": point, "over": over, "learning_rate": rate}
            history = [
                {**LEARNED[0], "epoch": i, "validation_top1": top1} for i, top1 in enumerate(scores)
            ]
            trial = {"setting": setting, "history": history, "error": "" if scores else "diverged"}
            append_json_line(staging.folder / "trials.jsonl", trial)


def write_arrays(artifact, inputs, arrays):
    with artifact.write(Made(), inputs) as staging:
        write_files(staging, arrays)


def write_files(staging, arrays):
    for name, array in arrays.items():
        path = staging.folder / f"{name}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.asarray(array, np.float32))


def certain(predicted, categories):
    """Probabilities that are 0.8 for the predicted category: [n, categories]."""
    probs = np.full((len(predicted), categories), 0.2 / (categories - 1), np.float32)
    probs[np.arange(len(predicted)), predicted] = 0.8
    return probs
