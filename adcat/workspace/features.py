"""What extract-features has made: vectors and probabilities of both classifiers."""

import dataclasses

from adcat.files import open_array
from adcat.types import MODALITIES, VECTORS, Modality, Part, Probs, Vectors
from adcat.workspace.ads import count_ads, read_categories
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Workspace


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """Vectors and probabilities of both baselines, memory-mapped.

    The row of an ad that lacks the modality is not a number.
    """

    artifact: Artifact

    def vectors(self, part: Part, modality: Modality) -> Vectors:
        """The classifier's inner representation: [n, dimensions], as many in every part."""
        dimensions = None if part == "train" else self.vectors("train", modality).shape[1]
        rows = count_ads(Workspace(self.artifact.root).split, part)
        return open_array(self.artifact / f"{part}/{modality}_vectors.npy", rows, dimensions)

    def layer(self, modality: Modality) -> str:
        """The classifier's layer that its vectors are outputs of."""
        settings = self.artifact.manifest().settings if self.artifact.exists() else {}
        return settings.get(f"{modality}_layer", VECTORS)

    def columns(self) -> dict[str, int]:
        """How many columns each array has, by name; of vectors, those that were made."""
        categories = len(read_categories(Workspace(self.artifact.root).split))
        return {f"{modality}_probs": categories for modality in MODALITIES} | {
            f"{modality}_vectors": self.vectors("train", modality).shape[1]
            for modality in MODALITIES
            if (self.artifact / f"train/{modality}_vectors.npy").exists()
        }

    def probs(self, part: Part, modality: Modality) -> Probs:
        """The classifier's probabilities: [n, categories]."""
        return open_probs(self.artifact, part, f"{modality}_probs.npy")


def open_probs(artifact: Artifact, part: Part, file: str) -> Probs:
    """Opens probabilities of the ads of a part, memory-mapped: [n, categories]."""
    split = Workspace(artifact.root).split
    categories = len(read_categories(split))
    return open_array(artifact / f"{part}/{file}", count_ads(split, part), categories)
