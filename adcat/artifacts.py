"""What the artifacts hold, as values: typed readers of what the folders hold.

One invariant: row i of every array is ad i of its part, column j is category j. Nothing is ever
reordered.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError, MissingArtifactError, StaleArtifactError
from adcat.modalities import MODALITIES, Kinds, Modality, OrPrior, have, kinds_with
from adcat.progress import Progress
from adcat.workspace import Artifact, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

Part: TypeAlias = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

Probs: TypeAlias = NDArray[np.float32]  # [n, categories], rows sum to 1
Vectors: TypeAlias = NDArray[np.float32]  # [n, dimensions]
Labels: TypeAlias = NDArray[np.int64]  # [n], in 0 .. categories - 1

ADS = "ads.parquet"
CATEGORIES = "categories.json"
KIND = "modality"  # the column of ADS that says what an ad has; absent where all have both


def read_categories(split: Artifact) -> list[str]:
    """Reads the categories' names; column j of every probability array is category j."""
    return json.loads((split / CATEGORIES).read_text(encoding="utf-8"))


def iterate_ads(
    split: Artifact,
    part: Part,
    columns: Sequence[str],
    batch: int = 8192,
    skip: int = 0,
    having: Sequence[Modality] = (),
) -> Iterator["pa.RecordBatch"]:
    """Streams columns of the ads of a part in their order, at most `batch` ads at a time.

    Only ads that have all modalities of `having`; the first `skip` of them are left out.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    needed, wanted = ["part"], pc.field("part") == part
    with pq.ParquetFile(split / ADS) as file:
        if having and KIND in file.schema_arrow.names:
            needed, wanted = [*needed, KIND], wanted & pc.field(KIND).isin(kinds_with(having))
        for chunk in file.iter_batches(batch_size=batch, columns=[*needed, *columns]):
            here = chunk.filter(wanted).select(list(columns))
            passed = min(skip, here.num_rows)
            skip -= passed
            if passed < here.num_rows:
                yield here.slice(passed)


def read_ads(
    split: Artifact,
    part: Part,
    columns: Sequence[str],
    rows: Sequence[int] | None = None,
    having: Sequence[Modality] = (),
) -> list[dict[str, Any]]:
    """Reads ads of a part as dictionaries: all of them, or those of the given rows.

    Rows count the ads of the part that have all modalities of `having`.
    """
    wanted = None if rows is None else {int(row) for row in rows}
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for chunk in iterate_ads(split, part, columns, having=having):
        here = [i for i in range(chunk.num_rows) if wanted is None or start + i in wanted]
        taken = chunk.take(np.array(here, np.int64)).to_pylist()
        found.update((start + i, ad) for i, ad in zip(here, taken, strict=True))
        start += chunk.num_rows
    return [found[row] for row in (range(start) if rows is None else map(int, rows))]


def read_labels(split: Artifact, part: Part, having: Sequence[Modality] = ()) -> Labels:
    """Reads the category of every ad of a part that has all modalities of `having`: [n]."""
    chunks = iterate_ads(split, part, ["label"], 65536, having=having)
    labels = [chunk["label"].to_numpy() for chunk in chunks]
    return np.concatenate(labels or [np.zeros(0)]).astype(np.int64)


def has_incomplete(split: Artifact) -> bool:
    """Whether ads may lack their text or their photo."""
    import pyarrow.parquet as pq

    return KIND in pq.read_schema(split / ADS).names


def read_kinds(split: Artifact, part: Part) -> Kinds:
    """Reads which modalities every ad of a part has: [n]."""
    if not has_incomplete(split):
        return np.full(len(read_labels(split, part)), "both")
    chunks = [chunk[KIND].to_pylist() for chunk in iterate_ads(split, part, [KIND], 65536)]
    return np.array([kind for chunk in chunks for kind in chunk], np.str_)


def read_modalities(split: Artifact) -> list[Modality]:
    """The modalities that any ad has, whatever its part."""
    kinds = np.concatenate([np.unique(read_kinds(split, part)) for part in PARTS])
    return [modality for modality in MODALITIES if have(kinds, [modality]).any()]


def image_paths(split: Artifact, part: Part, having: Sequence[Modality] = ()) -> list[str]:
    """Reads where images lie, as absolute paths; an ad without a photo has an empty one: [n].

    Of every ad of a part that has all modalities of `having`.
    """
    folder = Path(split.manifest().record["images"])
    chunks = iterate_ads(split, part, ["image"], having=having)
    images = (image for chunk in chunks for image in chunk["image"].to_pylist())
    kinds = read_kinds(split, part)
    has_photo = have(kinds[have(kinds, having)], ["image"])
    return [
        str(folder / image) if there else "" for image, there in zip(images, has_photo, strict=True)
    ]


def prior(labels: Labels, categories: int) -> NDArray[np.float64]:
    """The categories' smoothed shares of the training ads: (n_c + 1) / (N + categories)."""
    counts = np.bincount(labels, minlength=categories)
    return (counts + 1) / (len(labels) + categories)


def read_prior(split: Artifact) -> NDArray[np.float32]:
    """Reads the prior, which is what is said of an ad of which nothing is known: [categories]."""
    return prior(read_labels(split, "train"), len(read_categories(split))).astype(np.float32)


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """Vectors and probabilities of both baselines, memory-mapped.

    The row of an ad that lacks the modality is not a number.
    """

    artifact: Artifact

    def vectors(self, part: Part, modality: Modality) -> Vectors:
        """The classifier's inner representation: [n, dimensions]."""
        return open_array(self.artifact / f"{part}/{modality}_vectors.npy")

    def probs(self, part: Part, modality: Modality) -> Probs:
        """The classifier's probabilities: [n, categories]."""
        return open_array(self.artifact / f"{part}/{modality}_probs.npy")


@dataclasses.dataclass(frozen=True, slots=True)
class ModelProbs:
    """Where a model's probabilities lie: a baseline's, a fused or an attention model's."""

    name: str
    artifact: Artifact
    file: str = "probs.npy"

    @property
    def is_baseline(self) -> bool:
        """Whether it is the text or the image classifier alone."""
        return self.name in MODALITIES

    def path(self, part: Part) -> Path:
        """The file that holds the probabilities of the ads of a part."""
        return self.artifact / f"{part}/{self.file}"

    def probs(self, part: Part) -> Probs:
        """The model's probabilities of the ads of a part, memory-mapped: [n, categories].

        Of an ad that a baseline cannot read they are the prior.
        """
        probs, split = open_array(self.path(part)), Workspace(self.artifact.root).split
        if not self.is_baseline or not has_incomplete(split):
            return probs
        unread = ~have(read_kinds(split, part), [cast(Modality, self.name)])
        return cast(Probs, OrPrior(probs, unread, read_prior(split)))


def all_models(workspace: Workspace) -> list[ModelProbs]:
    """Every model whose probabilities exist, baselines first."""
    features = workspace.features
    baselines = [
        ModelProbs(modality, features, f"{modality}_probs.npy")
        for modality in MODALITIES
        if (features / f"test/{modality}_probs.npy").exists()
    ]
    fused = [ModelProbs(a.path.name, a) for a in workspace.variants("fuse")]
    attention = [ModelProbs(_attention_name(a), a) for a in workspace.variants("attend")]
    return [*baselines, *fused, *attention]


def find_models(workspace: Workspace, names: Sequence[str]) -> list[ModelProbs]:
    """The models of these names, in this order.

    Raises:
      BadInputError: no such model has been made.
    """
    models = {model.name: model for model in all_models(workspace)}
    for name in names:
        if name not in models:
            raise BadInputError(
                f"there is no model {name!r} in {workspace.root}; there are: "
                f"{', '.join(models) or 'none yet'}"
            )
    return [models[name] for name in names]


def models_to_report(
    workspace: Workspace, names: Sequence[str], part: Part, progress: Progress
) -> list[ModelProbs]:
    """The models of these names; without names, every one that is sound and knows the part.

    Raises:
      BadInputError: there is no such model, or it has no probabilities of the training ads.
      MissingArtifactError: there is no model at all.
      StaleArtifactError: a model that was named is stale, or every model is.
    """
    if names:
        models = find_models(workspace, list(dict.fromkeys(names)))
        for model in models:
            _check_part(model, part)
            model.artifact.check()
        return models
    models = [m for m in all_models(workspace) if m.is_baseline or part != "train"]
    if not models:
        workspace.features.check()
    return _sound(models, progress)


def read_for(workspace: Workspace, models: Sequence[ModelProbs]) -> list[Artifact]:
    """The artifacts that are read where models are looked at, each once."""
    artifacts = [workspace.split, workspace.features, *(model.artifact for model in models)]
    return list(dict.fromkeys(artifacts))


def _check_part(model: ModelProbs, part: Part) -> None:
    if part == "train" and not model.is_baseline:
        raise BadInputError(
            f"{model.name} has no probabilities of the train part, only the baselines "
            f"{' and '.join(MODALITIES)} have; use --part validation or --part test"
        )


def _sound(models: Sequence[ModelProbs], progress: Progress) -> list[ModelProbs]:
    """The models whose artifacts are sound; says which are left out and what makes them again."""
    sound: list[ModelProbs] = []
    left_out: dict[str, list[str]] = {}  # reason -> names
    for model in models:
        try:
            model.artifact.check()
            sound.append(model)
        except (MissingArtifactError, StaleArtifactError) as error:
            left_out.setdefault(str(error), []).append(model.name)
    if not sound:
        models[0].artifact.check()  # raises
    for reason, absent in left_out.items():
        progress.say(f"warning: left out {', '.join(absent)}: {reason}")
    return sound


def open_array(path: Path) -> NDArray[np.float32]:
    """Opens an array of one row per ad, memory-mapped, read-only: [n, columns].

    Raises:
      MissingArtifactError: there is no such file.
      BadInputError: it holds something else than rows of float32.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise MissingArtifactError(f"{path} is missing; run the command that makes it") from None
    except (ValueError, EOFError, OSError) as error:
        raise BadInputError(f"{path} is no array: {error}") from None
    if array.ndim != 2 or array.dtype != np.float32:
        raise BadInputError(
            f"{path}: expected rows of float32, found {array.dtype} of shape {array.shape}"
        )
    return array


def _attention_name(artifact: Artifact) -> str:
    """The default folder `c-wh` holds `attend-c-wh`; a folder with a name of its own, that name."""
    name = artifact.path.name
    is_default = name[:2] in {"a-", "b-", "c-", "d-", "e-"} and name[2:] in {"wh", "c"}
    return f"attend-{name}" if is_default else name
