"""The names of every artifact of a workspace."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

from adcat.errors import BadInputError
from adcat.types import Modality
from adcat.workspace import command_lines
from adcat.workspace.artifact import Artifact
from adcat.workspace.command_lines import OF_NAME, SHARDS
from adcat.workspace.shards import Shard, shards_in

STEPS = (  # the commands that write an artifact, each after those whose artifacts it reads
    "split", "train-text", "train-image", "extract-features", "fuse", "attend", "similar",
    "evaluate", "error-groups",
)  # fmt: skip
ATTENTION = "attend-"  # what the names of attention models begin with, and no others
OWN_NAME = re.compile(rf"(?!{ATTENTION}|(text|image)$)[a-z0-9][a-z0-9-]*")
NAMES = {  # of the artifacts of steps that make several
    "fuse": OWN_NAME,
    "attend": re.compile(r"[a-z0-9][a-z0-9-]*"),
}
LAST_LAYER = "last_layer.npy"  # of a classifier that is no more than that
TRAINED_BY: Mapping[Modality, str] = {"text": "train-text", "image": "train-image"}


@dataclasses.dataclass(frozen=True, slots=True)
class Classifier:
    """A text or an image classifier; the one of a modality that was not named has its name."""

    root: Path
    modality: Modality
    name: str

    @property
    def model(self) -> Artifact:
        """The trained network, or whatever it is."""
        return self._artifact(TRAINED_BY[self.modality])

    @property
    def features(self) -> Artifact:
        """What it makes of every ad."""
        return self._artifact("extract-features")

    def shard(self, shard: Shard) -> Artifact:
        """What its network makes of a share of the photos."""
        return Artifact(self.root, f"{SHARDS}/{self.features.name}/{shard.name}")

    @property
    def shards(self) -> Path:
        """The folder of all shares."""
        return self.root / SHARDS / self.features.name

    def found_shards(self) -> list[Shard]:
        """The shares that are there or were begun."""
        folders = self.root, self.root / ".partial"
        return sorted({s for f in folders for s in shards_in(f / SHARDS / self.features.name)})

    @property
    def reads_vectors(self) -> bool:
        """Whether it is a last layer on vectors that were made elsewhere."""
        return (self.model / LAST_LAYER).exists()

    @property
    def reads_photos(self) -> bool:
        """Whether it runs a network over photos."""
        return self.modality == "image" and not self.reads_vectors

    def array(self, kind: Literal["probs", "vectors", "terms"]) -> str:
        """What its arrays are called, such as `text_probs`, or `text_probs@words`."""
        return f"{self.modality}_{kind}{self._of_name}"

    @property
    def _of_name(self) -> str:
        return "" if self.name == self.modality else OF_NAME + self.name

    def _artifact(self, step: str) -> Artifact:
        return Artifact(self.root, step + self._of_name)


@dataclasses.dataclass(frozen=True, slots=True)
class Workspace:
    """Names every artifact."""

    root: Path

    @property
    def split(self) -> Artifact:
        """The ads, their categories and the part that each belongs to."""
        return Artifact(self.root, "split")

    @property
    def text_model(self) -> Artifact:
        """The text classifier without a name of its own."""
        return self.classifier("text").model

    @property
    def image_model(self) -> Artifact:
        """The image classifier without a name of its own."""
        return self.classifier("image").model

    @property
    def features(self) -> Artifact:
        """Vectors and probabilities of every ad by both classifiers without a name of their own."""
        return Artifact(self.root, "extract-features")

    def classifier(self, modality: Modality, name: str = "") -> Classifier:
        """A classifier of this modality, by default the one that has no name of its own.

        Raises:
          BadInputError: the name is not valid, or another model has it.
        """
        if not name or name == modality:
            return Classifier(self.root, modality, modality)
        _check_name(OWN_NAME, name)
        others = [c.model for c in self.named_classifiers() if c.modality != modality]
        self._check_free(name, [*others, *self.variants("fuse")])
        return Classifier(self.root, modality, name)

    def named_classifiers(self) -> list[Classifier]:
        """The classifiers with a name of their own that exist, text first, by name."""
        return [
            Classifier(self.root, modality, artifact.name.partition(OF_NAME)[2])
            for modality, step in TRAINED_BY.items()
            for artifact in self._named(step, self.root)
        ]

    def classifiers(self) -> list[Classifier]:
        """Every classifier whose predictions of all ads exist, the unnamed ones first."""
        unnamed = [
            classifier
            for classifier in map(self.classifier, TRAINED_BY)
            if self.features.exists()
            and (self.features / f"test/{classifier.array('probs')}.npy").exists()
        ]
        return [*unnamed, *(c for c in self.named_classifiers() if c.features.exists())]

    @property
    def similar(self) -> Artifact:
        """The nearest ads of the ads of a part."""
        return Artifact(self.root, "similar")

    @property
    def evaluation(self) -> Artifact:
        """Metrics, tables and figures."""
        return Artifact(self.root, "evaluate")

    @property
    def error_groups(self) -> Artifact:
        """The error-group analysis."""
        return Artifact(self.root, "error-groups")

    def fused(self, name: str) -> Artifact:
        """A fused model and its probabilities.

        Raises:
          BadInputError: the name is not valid, or a classifier has it.
        """
        self._check_free(name, [c.model for c in self.named_classifiers()])
        return self._variant("fuse", name)

    def attention(self, name: str) -> Artifact:
        """An attention model, its probabilities and maps; `c-wh` is that of `attend-c-wh`."""
        return self._variant("attend", name.removeprefix(ATTENTION))

    @property
    def attention_search(self) -> Artifact:
        """What a search over the settings of attention has tried."""
        return Artifact(self.root, command_lines.SEARCH)

    def variants(self, step: str) -> list[Artifact]:
        """The artifacts that exist of a step that makes several, by name."""
        folders = self.root, self.root / ".partial"  # also names one that is being replaced
        found = {artifact for folder in folders for artifact in self._listed(step, folder)}
        return sorted(filter(Artifact.exists, found), key=lambda artifact: artifact.name)

    def artifacts(self) -> list[Artifact]:
        """Every artifact of a pipeline in the order of making; optional ones where they exist."""
        found, optional = self._of_all_steps(self.variants), (self.attention_search, self.similar)
        return [a for a in found if a not in optional or a.path.exists()]

    def begun(self) -> list[Artifact]:
        """The artifacts that may have a staging folder, or whatever else a process leaves."""
        folder = self.root / ".partial"
        images = [self.classifier("image"), *self.named_classifiers()]
        shards = [c.shard(shard) for c in images for shard in c.found_shards()]
        return [*self._of_all_steps(lambda step: self._listed(step, folder)), *shards]

    def repair(self) -> None:
        """Ends what killed processes left."""
        for artifact in self.begun():
            artifact.staging_area.repair()

    def _of_all_steps(self, variants: Callable[[str], list[Artifact]]) -> list[Artifact]:
        several = {step: variants(step) for step in NAMES}
        several["attend"].insert(0, self.attention_search)
        named = self.named_classifiers()
        for modality, step in TRAINED_BY.items():
            models = [c.model for c in named if c.modality == modality]
            several[step] = [Artifact(self.root, step), *models]
        several["extract-features"] = [self.features, *(c.features for c in named)]
        return [a for step in STEPS for a in several.get(step, [Artifact(self.root, step)])]

    def _listed(self, step: str, folder: Path) -> list[Artifact]:
        found = (folder / step).iterdir() if (folder / step).is_dir() else []
        names = sorted({path.name.partition(".")[0] for path in found})
        return [
            Artifact(self.root, f"{step}/{name}") for name in names if NAMES[step].fullmatch(name)
        ]

    def _named(self, step: str, folder: Path) -> list[Artifact]:
        """The artifacts of a step's classifiers with names of their own, by name."""
        found = sorted(path.name for path in folder.glob(f"{step}{OF_NAME}*"))
        names = (name.partition(OF_NAME)[2] for name in found)
        return [Artifact(self.root, step + OF_NAME + n) for n in names if OWN_NAME.fullmatch(n)]

    def _check_free(self, name: str, others: Iterable[Artifact]) -> None:
        for other in others:
            if re.split(f"[/{OF_NAME}]", other.name)[-1] == name:
                raise BadInputError(
                    f"{name!r} is the name of {other.path} already; choose another --name"
                )

    def _variant(self, step: str, name: str) -> Artifact:
        _check_name(NAMES[step], name)
        return Artifact(self.root, f"{step}/{name}")


def _check_name(pattern: re.Pattern[str], name: str) -> None:
    if not pattern.fullmatch(name):
        but = f", but not text, image or {ATTENTION}…" if pattern == OWN_NAME else ""
        raise BadInputError(
            f"{name!r} is not a valid model name; use lower-case letters, digits and '-'{but}"
        )
