"""Shows where an attention model looked at the test ads of a workspace."""

from collections.abc import Callable, Sequence
from pathlib import Path

from adcat.artifacts import (
    MODALITIES,
    Features,
    Labels,
    image_paths,
    open_array,
    read_ads,
    read_categories,
    read_labels,
)
from adcat.attention.answers import mean_by_category
from adcat.attention.looking import Looked, border_table, draw_figures, draw_galleries
from adcat.attention.model import AttentionModel
from adcat.attention.pictures import overlay, squares
from adcat.attention.step import Over
from adcat.error_groups import PREDICTIONS, Groups, assign, best
from adcat.figures import PHOTO_PIXELS, Example, channel_heat_map
from adcat.image.decoding import central_box, open_photo
from adcat.metrics import outcomes
from adcat.tables import Table, write_table
from adcat.workspace import Workspace


def show(
    workspace: Workspace, model: AttentionModel, folder: Path, over: Over, blur: float, seed: int
) -> list[Table]:
    """Draws where the model looked; returns what is known of it as tables.

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
    maps, labels = open_array(folder / "test/maps.npy"), read_labels(workspace.split, "test")
    names = read_categories(workspace.split)
    if over == "c":
        means = mean_by_category(maps, labels, len(names)) * maps.shape[1]
        channel_heat_map(figures / "channels.png", means, names)
        return []
    galleries.mkdir(exist_ok=True)
    probs, groups = open_array(folder / "test/probs.npy"), _error_groups(workspace, labels)
    looked = Looked(maps, model.map_shape, labels, probs, groups)
    example = _example_reader(workspace, model, looked, names, blur)
    draw_figures(figures, looked, example, seed)
    draw_galleries(galleries, looked, names, example, seed)
    table = border_table(looked, "test")
    write_table(folder, "border", table)
    return [table]


def _error_groups(workspace: Workspace, labels: Labels) -> Groups:
    features = Features(workspace.features)
    text, image = (
        outcomes(features.probs("test", modality), labels, workspace.features.path).correct
        for modality in MODALITIES
    )
    return assign(text, image)


def _example_reader(
    workspace: Workspace, model: AttentionModel, looked: Looked, names: Sequence[str], blur: float
) -> Callable[[int], Example]:
    """What reads a test ad by its row, with its photo, where the model looked, and its answer."""
    paths = image_paths(workspace.split, "test")

    def read(row: int) -> Example:
        (ad,) = read_ads(workspace.split, "test", ["title", "category"], [row])
        photo = open_photo(paths[row], max(PHOTO_PIXELS))
        photo.thumbnail(PHOTO_PIXELS)
        left, top, right, bottom = central_box(photo, model.image.central_fraction)
        seen = photo.crop((round(left), round(top), round(right), round(bottom)))
        weights = looked.maps[row].reshape(looked.shape)
        pictures = [photo, overlay(seen, weights, blur), squares(seen, weights)]
        found = [(names[c], p) for c, p in best(looked.probs[row], PREDICTIONS)]
        return Example(pictures, ad["title"], ad["category"], {"answer": found})

    return read
