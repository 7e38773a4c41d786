"""Where the late text starts: as the regression of the category on the text vectors.

From random weights it would take longer to learn what the text says than the network takes to learn
its training photos by heart.
"""

import numpy as np

from adcat.attention.attention_model import LATE_TEXT, STANDARDISED, AttentionModel
from adcat.image import last_layer
from adcat.image.last_layer import LabelledVectors, scaling
from adcat.progress import Progress
from adcat.types import Labels, Vectors


def start_late_text(
    model: AttentionModel, text_vectors: Vectors, labels: Labels, seed: int, progress: Progress
) -> None:
    """Sets the weights of the late text to those of a regression on training ads.

    Args:
      model: whose last layer reads the text, too; the categories' frequencies are in its bias.
      text_vectors: of the training ads: [n, dimension].
      labels: [n]
      seed: cuts the folds that the strength of the prior is chosen by.
      progress: counts the strengths.
    """
    ads = LabelledVectors(
        text_vectors, labels, np.arange(len(labels)), scaling(text_vectors, is_random=False)
    )
    losses = last_layer.search(ads, seed, progress)
    strength, categories = min(losses, key=losses.__getitem__), model.image.last_layer.units
    kernel, _ = last_layer.fit(ads, ads.groups, categories, strength)
    spread = np.sqrt(np.asarray(model.network.get_layer(STANDARDISED).variance)).reshape(-1, 1)
    model.network.get_layer(LATE_TEXT).set_weights([kernel * spread])
