"""The settings that features depend on, and whether there are current ones."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from adcat.errors import AdcatError
from adcat.image.engines import EngineOptions
from adcat.prediction.feature_arrays import files
from adcat.settings import option
from adcat.types import VECTORS, Modality, TextLayer
from adcat.workspace.features import Features
from adcat.workspace.layout import Classifier, Workspace
from adcat.workspace.manifest import ENGINE


@dataclasses.dataclass(frozen=True)
class FeatureSettings(EngineOptions):
    """Which modalities, how many photos at a time, which layers."""

    modality: Literal["text", "image", "both"] = option("both", "Classifiers to run.")
    batch_size: int = option(32, "Photos in memory at a time.", low=1, high=1024)
    image_layer: str = option(
        VECTORS,
        "Layer of the image network whose outputs are an ad's image vector, maps as their mean "
        "over all positions: such as mixed7 of inception-v3 or block10_add of efficientnet-lite0; "
        "by default the last one, which the classifier reads. For the classifier without a name.",
    )
    text_layer: TextLayer = option(
        VECTORS,
        "What an ad's text vector is: what the last layer of the text model reads (vectors), or "
        "what it makes of that before the softmax (logits). For the classifier without a name.",
    )

    def layer(self, classifier: Classifier) -> str:
        """The layer of a classifier that is asked for; fusion reads no vectors of a named one."""
        has_name = classifier.name != classifier.modality
        return VECTORS if has_name else getattr(self, f"{classifier.modality}_layer")

    def recorded(self, modality: Modality | Literal["both"]) -> dict[str, Any]:
        """The settings that features depend on."""
        names = ("batch_size", *(field.name for field in dataclasses.fields(EngineOptions)))
        resolved = self.resolved()
        return {"modality": modality, **{name: getattr(resolved, name) for name in names}}

    def of_photos(self, classifier: Classifier) -> Mapping[str, Any]:
        """The settings that a shard depends on."""
        recorded = {**self.recorded("image"), "image_layer": self.layer(classifier)}
        return {name: value for name, value in recorded.items() if name != "modality"}

    def is_current(self, classifier: Classifier) -> bool:
        """Whether its arrays are there, current and of the layer and the engine asked for."""
        features, modality = Features(classifier.features), classifier.modality
        try:
            manifest = features.artifact.manifest()
            sources = [Workspace(classifier.root).split, classifier.model]
            same = all(manifest.inputs.get(s.name) == s.check().digest for s in sources)
        except AdcatError:
            return False
        if modality == "image" and not self.takes(manifest.notes.get(ENGINE, "")):
            return False
        same &= features.layer(modality) == self.layer(classifier)
        return same and classifier.features.is_intact(manifest, files(classifier))
