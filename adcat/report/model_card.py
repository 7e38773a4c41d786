"""The README of an exported model: what it is, how to use it, and what to expect of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from adcat.evaluation.measuring import Evaluation
from adcat.report.availability import top1_by_availability
from adcat.report.comparison import category_rows, models_table
from adcat.report.words import many
from adcat.tables import Cell, Column, Table, markdown, percent
from adcat.types import PARTS, VECTORS, have

FEW = 20  # training ads of a category

USE = """\
## Use

On a table of ads, or from Python, with ads as dictionaries (an `image` is relative to `images`):

```sh
adcat predict ads.csv --exported .
```

```python
from adcat.prediction import load

for prediction in load(".").predict([{"title": "Fin soffa", "image": "1.jpg"}], images="photos"):
    print(prediction["categories"][0])
```
"""

ONNX = """\
The image network needs ONNX Runtime only. It reads `photos` [n, height, width, 3] and gives
`vectors` and `probabilities` [n, categories]:

```python
import json, pathlib, sys
import numpy as np, onnxruntime
from PIL import Image, ImageOps

read = json.loads(pathlib.Path("image/model.json").read_text())
side, share = read["image_size"], read["central_fraction"]
photo = Image.open(sys.argv[1])
photo.draft(None, (2 * side, 2 * side))  # spares time on large photos
photo = ImageOps.exif_transpose(photo).convert("RGB")
x, y = photo.width * (1 - share) / 2, photo.height * (1 - share) / 2
box = (x, y, photo.width - x, photo.height - y)
pixels = np.asarray(photo.resize((side, side), Image.Resampling.BILINEAR, box), np.float32)
session = onnxruntime.InferenceSession("image/model.onnx")
(o_img,) = session.run(["probabilities"], {"photos": pixels[None] / 127.5 - 1})
categories = json.loads(pathlib.Path("serving.json").read_text("utf-8"))["categories"]
print(dict(zip(categories, o_img[0].tolist())))
```
"""

WEIGHTS = {
    "imagenet": "ImageNet weights, which Keras and TensorFlow give away under the Apache License "
    "2.0; ImageNet restricts its photos to research and education that is not commercial",
    "none": "random weights",
}


def model_card(
    evaluation: Evaluation, serving: Mapping[str, Any], fitted: Table, weights: Mapping[str, str]
) -> str:
    """The README in Markdown.

    Args:
      evaluation: of the model alone, on the test ads.
      serving: what `serving.json` says.
      fitted: what each part of the model was fitted on.
      weights: by part, the weights that its training started from.
    """
    (model,) = evaluation.models
    sections = [
        f"# {model.name}\n\nPuts ads into one of {many(len(evaluation.categories), 'category')}. "
        f"How it decides: {model.kind.in_words}.\n",
        USE,
        *([ONNX] if "image" in serving["preprocessing"] else []),
        _prediction(serving),
        f"## Data\n\n{markdown(_parts(evaluation))}\n{markdown(_categories(evaluation))}",
        f"## Quality\n\n{_quality(evaluation)}",
        f"## Fitting\n\n{markdown(fitted)}\nThe test ads had no part in it.\n",
        _limits(evaluation, serving),
        _licence(weights),
    ]
    return "\n".join(sections)


def _prediction(serving: Mapping[str, Any]) -> str:
    return f"""\
## From an ad to probabilities

The models read an ad as it is after this preprocessing:

{_list(f"{name}: {words}" for name, words in serving["preprocessing"].items())}
{_layers(serving["layers"])}\
The text model gives the probabilities `o_txt`, the image network `o_img`, a 0 counting as the least
float32. From these, or from the one `o` that there is, follows p, by what an ad has:

{_list(f"{name}: `{formula}`" for name, formula in serving["formulas"].items())}
`serving.json` has the categories in the order of every array, and their `prior`. What else a
formula names is in `fusion/params.json`, for ads with one modality under `alone`. The preprocessing
is written out in `adcat/data/text_cleaning.py` and `adcat/data/images.py`.
"""


def _layers(layers: Mapping[str, str]) -> str:
    """Whose outputs are vectors, where that is not what the last layer reads."""
    others = {modality: layer for modality, layer in layers.items() if layer != VECTORS}
    listed = _list(f"{modality}_vectors: the layer `{of}`" for modality, of in others.items())
    return f"Vectors, of maps the mean over all positions:\n\n{listed}\n" if others else ""


def _parts(evaluation: Evaluation) -> Table:
    rows: list[Sequence[Cell]] = []
    for part in PARTS:
        availabilities = evaluation.split.availabilities[part]
        having = (int(have(availabilities, [modality]).sum()) for modality in ("text", "image"))
        rows.append([part, len(availabilities), *having])
    headings = ("ads", "with text", "with photo")
    return Table("Ads", [Column("part"), *(Column(name, "{:,}") for name in headings)], rows)


def _categories(evaluation: Evaluation) -> Table:
    (model,), labels = evaluation.models, evaluation.split.labels
    counts = [np.bincount(labels[part], minlength=len(evaluation.categories)) for part in PARTS]
    rows = [
        [column, name, *(int(of_part[column]) for of_part in counts), recall, precision]
        for column, (name, *_, recall, precision) in enumerate(category_rows(evaluation, model))
    ]
    ads = (Column(f"{part} ads", "{:,}") for part in PARTS)
    columns = [Column("column"), Column("category"), *ads, percent("recall"), percent("precision")]
    return Table("Categories, with recall and precision on the test ads", columns, rows)


def _quality(evaluation: Evaluation) -> str:
    tables = [models_table(evaluation)]
    if evaluation.ads_by_availability:
        tables.append(top1_by_availability(evaluation))
    how_to_read = (
        f"On {many(evaluation.ads, 'ad')}. Low and high bound a 95 % interval; over "
        f"{evaluation.baseline}: the difference in top-1 on the same ads.\n"
    )
    return "\n".join([*map(markdown, tables), how_to_read])


def _limits(evaluation: Evaluation, serving: Mapping[str, Any]) -> str:
    few = many(int((evaluation.training_ads < FEW).sum()), "category")
    limits = [
        "An ad of any other category is put into one of these.",
        "The numbers hold for ads like these. For ads of another time or marketplace expect less, "
        "and measure again.",
        f"Numbers of categories with fewer than {FEW} training ads say little: {few}.",
        "The probabilities are not calibrated; for `--calibrate` and `--coverage`, `adcat predict` "
        "needs the workspace.",
    ]
    for lacking, other in (("image", "text"), ("text", "photo")):
        if lacking not in serving["preprocessing"]:
            limits.append(f"An ad without {other} gets the prior: no {lacking} model is here.")
    return f"## Limits\n\n{_list(limits)}"


def _licence(weights: Mapping[str, str]) -> str:
    started = [
        f"The {part} started from {WEIGHTS.get(name, f'{name}, whose licence holds')}."
        for part, name in weights.items()
    ]
    learned = (
        "What was learned comes from the ads. adcat cannot know on what terms you have these: "
        "state a licence here before you hand the folder on."
    )
    return f"## Licence of the weights\n\n{_list([*started, learned])}"


def _list(items: Iterable[str]) -> str:
    return "".join(f"* {item}\n" for item in items)
