"""The names of every artifact of a workspace."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

from adcat.errors import BadInputError
from adcat.workspace import command_lines
from adcat.workspace.artifact import Artifact

STEPS = (  # the commands that write an artifact, each after those whose artifacts it reads
    "split", "train-text", "train-image", "extract-features", "fuse", "attend", "evaluate",
    "error-groups",
)  # fmt: skip
ATTENTION = "attend-"  # what the names of attention models begin with, and no others
NAMES = {  # of the artifacts of steps that make several
    "fuse": re.compile(rf"(?!{ATTENTION}|(text|image)$)[a-z0-9][a-z0-9-]*"),
    "attend": re.compile(r"[a-z0-9][a-z0-9-]*"),
}


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
        """The text classifier."""
        return Artifact(self.root, "train-text")

    @property
    def image_model(self) -> Artifact:
        """The image classifier."""
        return Artifact(self.root, "train-image")

    @property
    def features(self) -> Artifact:
        """Both classifiers' vectors and probabilities of every ad."""
        return Artifact(self.root, "extract-features")

    @property
    def evaluation(self) -> Artifact:
        """Metrics, tables and figures."""
        return Artifact(self.root, "evaluate")

    @property
    def error_groups(self) -> Artifact:
        """The error-group analysis."""
        return Artifact(self.root, "error-groups")

    def fused(self, name: str) -> Artifact:
        """A fused model and its probabilities."""
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
        found = self._of_all_steps(self.variants)
        return [a for a in found if a != self.attention_search or a.path.exists()]

    def begun(self) -> list[Artifact]:
        """The artifacts that may have a staging folder, or whatever else a process leaves."""
        return self._of_all_steps(lambda step: self._listed(step, self.root / ".partial"))

    def repair(self) -> None:
        """Ends what killed processes left."""
        for artifact in self.begun():
            artifact.repair()

    def _of_all_steps(self, variants: Callable[[str], list[Artifact]]) -> list[Artifact]:
        several = {step: variants(step) for step in NAMES}
        several["attend"].insert(0, self.attention_search)
        return [a for step in STEPS for a in several.get(step, [Artifact(self.root, step)])]

    def _listed(self, step: str, folder: Path) -> list[Artifact]:
        found = (folder / step).iterdir() if (folder / step).is_dir() else []
        names = sorted({path.name.partition(".")[0] for path in found})
        return [
            Artifact(self.root, f"{step}/{name}") for name in names if NAMES[step].fullmatch(name)
        ]

    def _variant(self, step: str, name: str) -> Artifact:
        if not NAMES[step].fullmatch(name):
            but = f", but not text, image or {ATTENTION}…" if step == "fuse" else ""
            raise BadInputError(
                f"{name!r} is not a valid model name; use lower-case letters, digits and '-'{but}"
            )
        return Artifact(self.root, f"{step}/{name}")
