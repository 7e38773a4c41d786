"""`similar`: the nearest ads of a part's ads and of a new one, by each model's vectors."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from handmade import Made, certain, make_fused, make_split, write_arrays
from PIL import Image
from pipeline import adcat
from reading import run as evaluate
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.prediction.new_ads import single_ad
from adcat.prediction.representations import new_vectors
from adcat.progress import Silent
from adcat.workspace.ads import read_ads
from adcat.workspace.layout import Workspace
from adcat.workspace.models import find_models
from adcat.workspace.photos import images_folder

CATEGORIES = ["Bilar", "Cyklar"]
LABELS = {"train": [0, 0, 1], "validation": [1], "test": [0, 1]}
GROUPS = {"train": [1, 2, 3], "validation": [4], "test": [5, 5]}
TEXTS = {
    "train": [(1, 0), (3, 4), (0, 2)],
    "validation": [(-1, 0)],
    "test": [(2, 0), (0, 1)],
}
PHOTOS = {
    "train": [(0, 1, 0), (0, 0, 1), (1, 0, 0)],
    "validation": [(1, 1, 0)],
    "test": [(1, 0, 0), (1, 0.1, 0)],
}
NAN = (np.nan, np.nan, np.nan)


def make(folder, photos=PHOTOS, availabilities=None):
    """Ads with vectors that are written down."""
    workspace = Workspace(folder / "w")
    (folder / "photos").mkdir(exist_ok=True)
    for part, labels in LABELS.items():
        for i in range(len(labels)):
            Image.new("RGB", (40, 30), (90 * i, 120, 60)).save(folder / f"photos/{part}-{i}.png")
    make_split(
        workspace, CATEGORIES, LABELS, folder / "photos",
        availabilities=availabilities, groups=GROUPS,
    )  # fmt: skip
    arrays = {
        f"{part}/{modality}_{kind}": array
        for part, labels in LABELS.items()
        for modality, vectors in (("text", TEXTS), ("image", photos))
        for kind, array in (("probs", certain(labels, 2)), ("vectors", vectors[part]))
    }
    write_arrays(workspace.features, [workspace.split], arrays)
    return workspace


@pytest.fixture
def workspace(tmp_path):
    return make(tmp_path)


def refused(workspace, *words):
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "similar", *map(str, words)])
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert not workspace.similar.path.exists()
    return result.stderr.rpartition("error: ")[2].rstrip()


def nearest(workspace, by):
    ads = pq.read_table(workspace.similar / f"{by}.parquet").to_pylist()
    return {ad["id"]: ad["nearest"] for ad in ads}


def test_it_writes_the_nearest_of_all_other_ads(workspace):
    said = adcat(workspace, "similar", "--k", 2).stdout
    assert nearest(workspace, "text") == {
        "test-0": ["train-0", "train-1"], "test-1": ["train-2", "train-1"],
    }  # fmt: skip
    assert nearest(workspace, "image") == {
        "test-0": ["train-2", "test-1"], "test-1": ["train-2", "test-0"],
    }  # fmt: skip
    ads = pq.read_table(workspace.similar / "text.parquet").to_pylist()
    np.testing.assert_allclose([ad["cosines"] for ad in ads], [[1, 0.6], [1, 0.8]], atol=1e-6)
    assert "The 2 nearest of each of 2 test ads among 6 (all)" in said
    assert {f"galleries/{by}.png" for by in ("text", "image")} <= set(
        workspace.similar.check().files
    )


def test_it_measures_what_they_have_in_common(workspace):
    adcat(workspace, "similar", "--k", 2)
    summary = json.loads((workspace.similar / "summary.json").read_text())
    text, image = summary["by"]
    assert (text["same_category"], image["same_category"]) == (0.75, 0.25)
    assert (text["duplicates_found"], image["duplicates_found"]) == (0, 1)
    assert image["over_best"] == -0.5
    assert "over_best" not in text
    assert text["ads_with_duplicates"] == 2
    assert json.loads(adcat(workspace, "similar", "--k", 2, "--json").stdout) == summary


def test_the_ads_of_one_part_among_those_of_another(workspace):
    adcat(workspace, "similar", "--k", 1, "--part", "train", "--among", "test", "--by", "text")
    assert nearest(workspace, "text") == {
        "train-0": ["test-0"], "train-1": ["test-1"], "train-2": ["test-1"],
    }  # fmt: skip
    (text,) = json.loads((workspace.similar / "summary.json").read_text())["by"]
    assert "duplicates_found" not in text


def test_ads_of_one_part_among_one_another(workspace):
    assert "1 ads with text and image are there" in refused(workspace, "--among", "test", "--k", 2)
    adcat(workspace, "similar", "--among", "test", "--k", 1)
    assert nearest(workspace, "image") == {"test-0": ["test-1"], "test-1": ["test-0"]}


def test_more_than_there_are_ads_is_refused(workspace):
    assert refused(workspace, "--k", 6) == (
        "--k 6: 5 ads with text and image are there to compare with; choose a smaller one, or "
        "--among all"
    )
    adcat(workspace, "similar", "--k", 5)


def test_an_ad_without_a_photo_is_compared_by_its_text_only(tmp_path):
    photos = {**PHOTOS, "train": [NAN, *PHOTOS["train"][1:]]}
    both = {part: ["both"] * len(labels) for part, labels in LABELS.items()}
    workspace = make(tmp_path, photos, {**both, "train": ["text", "both", "both"]})
    adcat(workspace, "similar", "--k", 1)
    assert nearest(workspace, "text")["test-0"] == ["train-1"]  # by both, so of ads with both
    adcat(workspace, "similar", "--k", 1, "--by", "text")
    assert nearest(workspace, "text")["test-0"] == ["train-0"]


def test_a_finer_category_is_read_from_the_table(workspace, tmp_path):
    table = tmp_path / "ads.csv"
    rows = [f"{p}-{i},x,{'abc'[i]}" for p, labels in LABELS.items() for i in range(len(labels))]
    table.write_text("\n".join(["id,title,deep", *rows]))
    words = ("--k", 2, "--finer", table, "--finer-column", "deep")
    text, image = json.loads(adcat(workspace, "similar", *words, "--json").stdout)["by"]
    assert (text["same_finer_category"], image["same_finer_category"]) == (0.5, 0)
    table.write_text("\n".join(["id,title,deep", *rows[1:], "test-0,x,"]))
    assert refused(workspace, *words) == (
        f"{table} has no deep of 1 of the ads, such as train-0; give the table that was split, or "
        "another --finer-column"
    )


def test_a_fused_model_of_an_older_adcat_has_no_vectors(workspace):
    make_fused(workspace, "concat", {"test": certain([0, 1], 2)}, "concat", reads="vectors")
    assert refused(workspace, "--by", "concat").startswith(
        "concat: no vectors of the train, validation, test ads; "
    )
    said = adcat(workspace, "similar", "--by", "all", "--k", 1).stderr
    assert "left out concat: no vectors of the train, validation, test ads" in said


def test_a_vector_that_is_no_number_is_told(tmp_path):
    workspace = make(tmp_path, {**PHOTOS, "test": [NAN, (1, 0, 0)]})
    assert "image_vectors.npy is not a valid array of vectors" in refused(workspace, "--k", 1)


def test_status_and_the_page_know_it_where_it_is(workspace):
    assert "similar" not in adcat(workspace, "status").stdout
    adcat(workspace, "similar", "--k", 1)
    found = json.loads(adcat(workspace, "status", "--json").stdout)["artifacts"]
    assert {a["artifact"]: a["state"] for a in found}["similar"] == "current"
    page = evaluate(workspace)
    assert "Of the 1 ads nearest to an ad, 100.0% are of its category by text vectors." in page
    assert workspace.evaluation.check().inputs["similar"] == workspace.similar.check().digest


def test_the_page_leaves_out_what_is_stale_and_refuses_what_is_no_summary(workspace):
    with workspace.similar.write(Made(), [workspace.split]) as staging:
        (staging.folder / "summary.json").write_text('{"by": []}')
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "evaluate"])
    assert result.exit_code == 1
    assert "summary.json is not a valid summary of similar ads" in result.stderr
    (workspace.similar / "summary.json").write_text("{}")
    said = adcat(workspace, "evaluate")
    assert "warning: left out the similar ads: " in said.stderr


def test_equal_runs_write_equal_artifacts(workspace):
    digests = set()
    for _ in range(2):
        adcat(workspace, "similar", "--k", 2)
        digests.add(workspace.similar.check().digest)
    assert len(digests) == 1


@pytest.mark.soak
def test_a_new_ad_has_the_vectors_that_were_stored(with_models):
    names = ["text", "image", "concat", "text-only", "image-only", "attend-c-wh"]
    models, row = find_models(with_models, names), 3
    (ad,) = read_ads(with_models.split, "test", ["title", "description", "image"], [row])
    new = single_ad(**ad, images=images_folder(with_models.split))
    found = new_vectors(with_models, models, *new, Silent())
    assert list(found) == names
    for model in models:
        stored = model.vectors("test")[row]
        np.testing.assert_allclose(found[model.name], stored[None], rtol=1e-4, atol=1e-5)


def test_a_new_ad_that_is_there_already_is_found(with_models):
    (ad,) = read_ads(with_models.split, "test", ["id", "title", "description", "image"], [3])
    words = ("--title", ad["title"], "--description", ad["description"], "--image", ad["image"])
    among = ("--images", images_folder(with_models.split), "--among", "test", "--k", 18)
    before = with_models.root.stat().st_mtime_ns
    found = adcat(with_models, "similar", *words, *among, "--by", "attend-c-wh", "--json").stdout
    (by,) = json.loads(found)["by"]
    (itself,) = (one for one in by["nearest"] if one["id"] == ad["id"])
    assert itself["cosine"] == pytest.approx(1, abs=1e-5)
    cosines = [one["cosine"] for one in by["nearest"]]
    assert cosines == sorted(cosines, reverse=True)
    lines = adcat(with_models, "similar", *words, *among).stdout.splitlines()
    assert "Nearest by text vectors" in lines[0]
    assert sum(ad["id"] in line.split() for line in lines) == 2  # by text and by image
    assert with_models.root.stat().st_mtime_ns == before  # nothing was written


def test_a_new_ad_without_a_photo_is_compared_by_its_text(with_models):
    found = adcat(with_models, "similar", "--title", "volvo ratt", "--k", 1, "--json")
    assert [by["by"] for by in json.loads(found.stdout)["by"]] == ["text"]
    assert "left out image: cannot read the ad (no image given)" in found.stderr
    assert refused(with_models, "--title", "volvo", "--by", "concat") == (
        "concat: cannot read the ad (no image given)"
    )
    assert refused(with_models, "--description", "") == (
        "text, image: cannot read the ad (empty text, no image given)"
    )
