"""Shows where an attention model looked at the test ads of a workspace."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.attention.attention_model import AttentionModel
from adcat.attention.map_figures import (
    Looked,
    ReadExamples,
    border_table,
    draw_figures,
    draw_galleries,
)
from adcat.attention.maps import mean_by_category
from adcat.attention.overlays import overlay, squares
from adcat.attention.step import Over
from adcat.data.images import central_box, open_image
from adcat.evaluation.error_groups import PREDICTIONS, Groups, assign, best
from adcat.evaluation.metrics import ad_results
from adcat.files import open_array
from adcat.plotting.charts import channel_heat_map
from adcat.plotting.galleries import IMAGE_PIXELS, Example
from adcat.tables import Table, write_table
from adcat.types import MODALITIES, Labels, have
from adcat.workspace.ads import (
    count_ads,
    image_paths,
    read_ads,
    read_availabilities,
    read_categories,
    read_labels,
)
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace


def show(
    workspace: Workspace, model: AttentionModel, folder: Path, over: Over, blur: float, seed: int
) -> list[Table]:
    """Draws where the model looked at ads with text and photo; returns what is known as tables.

    Args:
      workspace: holds the ads and the baselines' answers.
      model: what looked.
      folder: the model's artifact with its answers to the test ads; pictures and tables go there.
      over: what it attends to.
      blur: of the attention over a photo, in places of the map.
      seed: of what is drawn at random.
    """
    figures, galleries = folder / "figures", folder / "galleries"
    figures.mkdir(exist_ok=True)
    labels = read_labels(workspace.split, "test", MODALITIES)
    ads, names = count_ads(workspace.split, "test"), read_categories(workspace.split)
    maps = _of_whole_ads(workspace, open_array(folder / "test/maps.npy", ads))
    if over == "c":
        means = mean_by_category(maps, labels, len(names)) * maps.shape[1]
        channel_heat_map(figures / "channels.png", means, names)
        return []
    galleries.mkdir(exist_ok=True)
    probs = _of_whole_ads(workspace, open_array(folder / "test/probs.npy", ads, len(names)))
    groups = _error_groups(workspace, labels)
    looked = Looked(maps, model.map_shape, labels, probs, groups)
    read = _example_reader(workspace, model, looked, names, blur)
    draw_figures(figures, looked, read, seed)
    draw_galleries(galleries, looked, names, read, seed)
    table = border_table(looked, "test")
    write_table(folder, "border", table)
    return [table]


def _of_whole_ads(workspace: Workspace, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of the test ads that have text and photo."""
    whole = have(read_availabilities(workspace.split, "test"), MODALITIES)
    return array if whole.all() else array[whole]


def _error_groups(workspace: Workspace, labels: Labels) -> Groups:
    features = Features(workspace.features)
    correct = {
        modality: ad_results(
            _of_whole_ads(workspace, features.probs("test", modality)),
            labels,
            workspace.features.path,
        ).correct
        for modality in MODALITIES
    }
    return assign(correct, np.full(len(labels), "both"))


def _example_reader(
    workspace: Workspace, model: AttentionModel, looked: Looked, names: Sequence[str], blur: float
) -> ReadExamples:
    """What reads whole test ads by their rows: photos, where the model looked, its answers."""
    paths = image_paths(workspace.split, "test", MODALITIES)

    def read(rows: Sequence[int]) -> dict[int, Example]:
        ads = read_ads(workspace.split, "test", ["title", "category"], rows, MODALITIES)
        return {row: example(row, ad) for row, ad in zip(rows, ads, strict=True)}

    def example(row: int, ad: Mapping[str, str]) -> Example:
        image = open_image(paths[row], max(IMAGE_PIXELS))
        image.thumbnail(IMAGE_PIXELS)
        left, top, right, bottom = central_box(image, model.image.central_fraction)
        seen = image.crop((round(left), round(top), round(right), round(bottom)))
        weights = looked.maps[row].reshape(looked.shape)
        pictures = [image, overlay(seen, weights, blur), squares(seen, weights)]
        found = [(names[c], p) for c, p in best(looked.probs[row], PREDICTIONS)]
        return Example(pictures, ad["title"], ad["category"], {"answer": found})

    return read
