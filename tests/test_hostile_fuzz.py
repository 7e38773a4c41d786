"""Random damage: whatever stands in a table or a workspace, the answer is a result or an error."""

import json
import shutil

import pytest
from hostile import ADS, COLUMNS, draw_photos, read_rejected, run, write_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealed import make_workspace, seal

FOLDER = {"suppress_health_check": [HealthCheck.function_scoped_fixture]}
short = settings(max_examples=20, **FOLDER)
long = settings(max_examples=2000, derandomize=False, **FOLDER)

damage = st.lists(
    st.tuples(st.floats(0, 1), st.one_of(st.binary(max_size=3), st.none())), min_size=1, max_size=4
)
"""Positions, and what stands there instead of a byte; none: the file ends."""


def damaged(content: bytes, changes) -> bytes:
    for position, found in changes:
        at = int(position * len(content))
        content = content[:at] if found is None else content[:at] + found + content[at + 1 :]
    return content


def ends_well(found):
    """A result, or an error of a few lines."""
    assert found.exit_code in (0, 1), found.output
    assert found.exit_code == 0 or found.stderr.count("error: ") == 1
    assert len(found.stderr.splitlines()) < 10
    return found.exit_code == 0


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A folder of photos and the sound table in every format."""
    folder = draw_photos(tmp_path_factory.mktemp("fuzz") / "data")
    return folder, {
        suffix: write_table(folder / f"sound{suffix}", ADS).read_bytes()
        for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
    }


def read_a_damaged_table(tables, suffix, changes):
    folder, sound = tables
    (folder / f"a{suffix}").write_bytes(damaged(sound[suffix], changes))
    shutil.rmtree(folder / "w", ignore_errors=True)
    words = ["split", folder / f"a{suffix}", "--image-check", "none"]
    if ends_well(run(folder / "w", *words)):
        rejected = [row for row, _, _ in read_rejected(folder / "w/split")]
        manifest = json.loads((folder / "w/split/manifest.json").read_text(encoding="utf-8"))
        assert rejected == sorted(set(rejected))
        assert (
            manifest["notes"]["rows"]
            >= len(rejected)
            == sum(manifest["notes"]["rejected"].values())
        )
    else:
        assert not (folder / "w/split").exists()


suffixes = st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"])


@short
@given(suffix=suffixes, changes=damage)
def test_a_damaged_table_is_split_or_refused(tables, suffix, changes):
    read_a_damaged_table(tables, suffix, changes)


@pytest.mark.soak
@long
@given(suffix=suffixes, changes=damage)
def test_many_damaged_tables_are_split_or_refused(tables, suffix, changes):
    read_a_damaged_table(tables, suffix, changes)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("fuzz") / "w").root


FILES = (
    "split/ads.parquet", "split/categories.json", "split/manifest.json",
    "extract-features/test/text_probs.npy", "extract-features/validation/image_probs.npy",
    "extract-features/manifest.json", "fuse/max/test/probs.npy", "fuse/max/params.json",
    ".cache/split.json",
)  # fmt: skip
COMMANDS = (["evaluate", "--json"], ["error-groups", "--json"], ["fuse", "--policy", "sum-max"])


def load_a_damaged_workspace(sound, tmp_path, file, changes, command, vouched):
    """`vouched`: whether the manifests have the digests of the damaged files."""
    root = tmp_path / "w"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(sound, root)
    path = root / file
    path.write_bytes(damaged(path.read_bytes(), changes))
    if vouched and not file.endswith("manifest.json"):
        seal(root)
    ends_well(run(root, *command))


workspaces = given(
    file=st.sampled_from(FILES),
    changes=damage,
    command=st.sampled_from(COMMANDS),
    vouched=st.booleans(),
)


@short
@workspaces
def test_a_damaged_workspace_is_read_or_refused(sound, tmp_path, file, changes, command, vouched):
    load_a_damaged_workspace(sound, tmp_path, file, changes, command, vouched)


@pytest.mark.soak
@long
@workspaces
def test_many_damaged_workspaces_are_read_or_refused(
    sound, tmp_path, file, changes, command, vouched
):
    load_a_damaged_workspace(sound, tmp_path, file, changes, command, vouched)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@short
@given(
    field=st.sampled_from(["settings", "inputs", "files", "notes", "adcat", "schema", "record"]),
    value=json_values,
    command=st.sampled_from(COMMANDS),
)
def test_a_manifest_with_any_value_is_read_or_refused(sound, tmp_path, field, value, command):
    root = tmp_path / "w"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(sound, root)
    for artifact in ("split", "fuse/max"):
        path = root / artifact / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    ends_well(run(root, *command))


@settings(short, max_examples=10)
@given(
    lines=st.lists(st.dictionaries(st.sampled_from(COLUMNS), json_values, max_size=5), max_size=5)
)
def test_ads_of_any_values_are_split_or_refused(tables, lines):
    folder, _ = tables
    sound = [dict(zip(COLUMNS, ad, strict=True)) for ad in ADS]
    (folder / "b.jsonl").write_text("\n".join(map(json.dumps, [*lines, *sound])), encoding="utf-8")
    ends_well(run(folder / "w", "split", folder / "b.jsonl", "--image-check", "none"))
