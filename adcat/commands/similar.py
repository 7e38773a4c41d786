"""Finds similar ads by the vectors that models make of them (thesis, section 6.5)."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.data.table import InputTable, parse_headers
from adcat.errors import BadInputError
from adcat.evaluation.neighbours import Nearest, directions, share_alike, share_found
from adcat.files import sha256, write_json
from adcat.prediction.compared_ads import ComparedAds
from adcat.prediction.new_ads import single_ad
from adcat.prediction.representations import find_representations, modalities_of, new_vectors
from adcat.progress import Progress
from adcat.report.similar_ads import (
    SUMMARY,
    Similarity,
    draw_neighbours,
    measured,
    similarity_table,
)
from adcat.settings import Place, option, seed_option
from adcat.tables import Column, Report, Table, write_table
from adcat.types import PARTS, Part
from adcat.workspace.ads import (
    iterate_ads,
    read_ads,
    read_groups,
    read_labels,
)
from adcat.workspace.artifact import reading
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs, read_for
from adcat.workspace.shown_ads import reading_shown_by_part

ONE_AD = "A single ad"  # heading in the help
IS_ONE = "title|description|image"
SHOWN = ("category", "title", "id")  # of the nearest ads of a single one
DRAWN, BESIDE = 6, 4  # ads in a picture, and nearest ones beside each

ReadRows: TypeAlias = Callable[[Sequence[int]], Sequence[Any]]  # of the ads of a part


@dataclasses.dataclass(frozen=True)
class Settings:
    """Whose nearest ads are found, among which and by which vectors."""

    panels: ClassVar = ("Similar ads", "Measures", ONE_AD)
    panel: ClassVar = "Similar ads"
    needs: ClassVar = {
        **dict.fromkeys(("part", "finer", "seed"), f"!{IS_ONE}"),
        "finer_column": "finer",
        "images": IS_ONE,
    }

    by: list[str] = option(
        [],
        "Model whose vectors are compared: a classifier, an early network or an attention model; "
        "may be repeated; all for all of them; by default text and image.",
        completes="models",
    )
    k: int = option(10, "Number of ads to find for each.", low=1, high=1000, dry_run=1)
    part: Part = option("test", "Part whose ads are looked at.")
    among: Literal["all", "train", "validation", "test"] = option(
        "all", "Ads that the similar ones are found among."
    )
    finer: Path | None = option(
        None, "Table that was split, where it has finer categories.", panel="Measures"
    )
    finer_column: str = option("category", "Its column of finer categories.", panel="Measures")
    title: str | None = option(None, "Title of an ad, instead of a part's.", panel=ONE_AD)
    description: str | None = option(None, "Description of the ad.", panel=ONE_AD)
    image: str | None = option(None, "Photo of the ad.", panel=ONE_AD)
    images: Place | None = option(
        None,
        "Folder or address that its path starts from; by default the current one.",
        panel=ONE_AD,
    )
    seed: int = seed_option()  # of the ads that are drawn

    @property
    def is_one(self) -> bool:
        """Whether a single ad is given."""
        return (self.title, self.description, self.image) != (None, None, None)


def similar(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Find similar ads.

    Compares vectors by their cosine: those of the test ads with those of all other ads, or as
    --part and --among say. Writes the nearest ads of each, pictures of some, and how many are of
    the same category, of the same finer one (--finer) and known duplicates: whose vectors serve
    best. With --title, --description or --image it shows the ads nearest to that one, and writes
    nothing. Every pair is compared: on two cores 900,000 ads with one another take an hour by
    vectors of 100 numbers, nine by 1,280.
    """
    models, ads = _compared(workspace, settings, progress)
    if settings.is_one:
        with reading(read_for(workspace, models)):
            found = _of_one(workspace, models, ads, settings, progress)
        return Report(tables=[_table(name, near) for name, near in found.items()])
    names, finer = [model.name for model in models], settings.finer
    recorded = dataclasses.replace(settings, by=names, finer=finer and Path(finer.name))
    with workspace.similar.write(recorded, read_for(workspace, models)) as staging:
        document = _document(models, ads, settings, progress, staging.folder)
        write_json(staging.folder / SUMMARY, document)
        table = similarity_table(document)
        for folder in ("tables", "galleries"):
            (staging.folder / folder).mkdir()
        write_table(staging.folder / "tables", "similar", table)
        _draw(staging.folder / "galleries", models, ads, settings.seed, progress)
        staging.notes["fitted_on"] = "nothing"
        if finer:
            staging.notes["finer_sha256"] = sha256(finer)
    return Report([f"galleries: {workspace.similar / 'galleries'}"], [table])


def document(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """What `--json` prints."""
    models, ads = _compared(workspace, settings, progress)
    with reading(read_for(workspace, models)):
        if not settings.is_one:
            return _document(models, ads, settings, progress)
        found = _of_one(workspace, models, ads, settings, progress)
        return {"by": [{"by": name, "nearest": near} for name, near in found.items()]}


def _compared(
    workspace: Workspace, settings: Settings, progress: Progress
) -> tuple[list[ModelProbs], ComparedAds]:
    """The models, and the ads that are compared by their vectors."""
    workspace.split.check()
    among: Sequence[Part] = PARTS if settings.among == "all" else (settings.among,)
    ads = ComparedAds(workspace.split, settings.part, among, (), settings.k)
    parts = ads.parts if settings.is_one else ads.every_part
    models = find_representations(workspace, settings.by, parts, progress)
    return models, dataclasses.replace(ads, having=modalities_of(models))


def _document(
    models: Sequence[ModelProbs],
    ads: ComparedAds,
    settings: Settings,
    progress: Progress,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Measures every model; writes the nearest ads into the folder, if one is given."""
    split, having, own = ads.split, ads.having, ads.own
    labels = ads.values(lambda part: read_labels(split, part, having))
    groups = ads.values(lambda part: read_groups(split, part, having))
    finer = ads.values(_finer(ads, settings, progress)) if settings.finer else None
    measures: list[Similarity] = []
    for model in models:
        with progress.task(f"nearest by {model.name}", len(own), "ads") as task:
            found = ads.stream(model, task)
            if folder:
                found = _written(folder / f"{model.name}.parquet", ads, found)
            shares = [
                (
                    share_alike(*labels, here),
                    share_alike(*(finer or labels), here),
                    share_found(*groups, own, here),
                )
                for here in found
            ]
        category, of_finer, duplicates = map(np.concatenate, zip(*shares, strict=True))
        dimension = model.vectors(ads.part).shape[1]
        measures.append(
            Similarity(model.name, dimension, category, of_finer if finer else None, duplicates)
        )
    return {
        "part": ads.part,
        "among": settings.among,
        "k": ads.k,
        "ads": len(own),
        "candidates": ads.starts[-1],
        "by": measured(measures),
    }


def _written(path: Path, ads: ComparedAds, found: Iterator[Nearest]) -> Iterator[Nearest]:
    """Writes the ids and cosines of the nearest ads, and passes them on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    candidates, looked_at = ads.values(lambda part: np.array(_ids(ads, part), object))
    lists = {"nearest": pa.list_(pa.string()), "cosines": pa.list_(pa.float32())}
    schema = pa.schema({"id": pa.string(), **lists})
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for here in found:
            near, cosines = candidates[here.positions].tolist(), here.cosines.tolist()
            columns = {"id": looked_at[here.ads], "nearest": near, "cosines": cosines}
            file.write_batch(pa.RecordBatch.from_pydict(columns, schema))
            yield here


def _ids(ads: ComparedAds, part: Part) -> list[str]:
    chunks = iterate_ads(ads.split, part, ["id"], having=ads.having)
    return [id for chunk in chunks for id in chunk["id"].to_pylist()]


def _finer(
    ads: ComparedAds, settings: Settings, progress: Progress
) -> Callable[[Part], NDArray[np.int64]]:
    """What reads the finer category of the ads of a part, as a number [n].

    Raises:
      BadInputError: an ad has none.
    """
    path, of_split = settings.finer or Path(), ads.split.manifest().settings
    headers = {**parse_headers(of_split.get("column", [])), "category": settings.finer_column}
    numbers, by_id = dict[str, int](), dict[str, int]()
    for batch in InputTable(path, headers, ["category"]).batches(progress):
        for id, name in zip(batch["id"].to_pylist(), batch["category"].to_pylist(), strict=True):
            if name:
                by_id.setdefault(id, numbers.setdefault(name, len(numbers)))

    def read(part: Part) -> NDArray[np.int64]:
        ids = _ids(ads, part)
        if missing := [id for id in ids if id not in by_id]:
            raise BadInputError(
                f"{path} has no {settings.finer_column} of {len(missing):,} of the ads, such as "
                f"{missing[0]}; give the table that was split, or another --finer-column"
            )
        return np.array([by_id[id] for id in ids], np.int64)

    return read


def _draw(
    folder: Path, models: Sequence[ModelProbs], ads: ComparedAds, seed: int, progress: Progress
) -> None:
    """Draws the same ads for every model, each beside its nearest ones."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(ads.own))[:DRAWN])
    with reading_shown_by_part(ads.split, ads.every_part, progress, ads.having) as read:
        drawn = read[ads.part](rows.tolist())
        for model in models:
            cosines, positions = ads.some(model, rows)
            near = iter(_looked_up(ads.places(positions[:, :BESIDE].ravel()), read))
            shown = cosines[:, :BESIDE].tolist()
            beside = [[(cosine, next(near)) for cosine in of_ad] for of_ad in shown]
            pairs = list(zip(drawn, beside, strict=True))
            draw_neighbours(folder / f"{model.name}.png", model.name, pairs)


def _looked_up(places: Sequence[tuple[Part, int]], read: Mapping[Part, ReadRows]) -> list[Any]:
    """Reads ads by their parts and rows, all of a part at once."""
    found: dict[tuple[Part, int], Any] = {}
    for part, read_rows in read.items():
        here = [place for place in places if place[0] == part]
        found.update(zip(here, read_rows([row for _, row in here]), strict=True))
    return [found[place] for place in places]


def _of_one(
    workspace: Workspace,
    models: Sequence[ModelProbs],
    ads: ComparedAds,
    settings: Settings,
    progress: Progress,
) -> dict[str, list[dict[str, Any]]]:
    """The ads nearest to the one that is given, by model; among all that the model can read."""
    ad, images = single_ad(settings.title, settings.description, settings.image, settings.images)
    vectors = new_vectors(workspace, models, ad, images, progress)
    found: dict[str, list[dict[str, Any]]] = {}
    for model in (model for model in models if model.name in vectors):
        of_model = dataclasses.replace(ads, having=modalities_of([model]))
        new = directions(vectors[model.name])
        (cosines,), (positions,) = of_model.nearest(model, new, np.array([-1]))
        places = of_model.places(positions)
        read: dict[Part, ReadRows] = {
            part: functools.partial(read_ads, ads.split, part, SHOWN, having=of_model.having)
            for part in ads.parts
        }
        near = _looked_up(places, read)
        found[model.name] = [
            {"cosine": cosine, **ad, "part": part}
            for cosine, ad, (part, _) in zip(cosines.tolist(), near, places, strict=True)
        ]
    return found


def _table(name: str, near: Sequence[Mapping[str, Any]]) -> Table:
    columns = [Column("cosine", "{:.3f}"), *map(Column, (*SHOWN, "part"))]
    return Table(f"Nearest by {name} vectors", columns, [list(ad.values()) for ad in near])
