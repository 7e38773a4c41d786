import dataclasses
import json

import pytest

from adcat.errors import AdcatError, BusyError
from adcat.prediction.output_files import (
    is_done,
    merge_predictions,
    shard_file,
    write_predictions,
)
from adcat.workspace.manifest import Manifest
from adcat.workspace.shards import Shard

ABOUT = Manifest(settings={"top": 1}, inputs={"split": "abc"})


def prediction(row):
    return {
        "row": row, "id": f"ad{row}", "modality": "text", "problems": [],
        "categories": [{"category": "Böcker", "probability": 0.5}],
        "contributions": {"text": 1.5, "image": 0.0},
    }  # fmt: skip


def predictions(done, until=6):
    yield from map(prediction, range(done + 1, until))


def interrupted(done):
    yield from predictions(done, until=4)
    raise KeyboardInterrupt


def rows(path):
    return [json.loads(line)["row"] for line in path.read_text().splitlines()]


def test_an_interrupted_run_is_gone_on_with(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(KeyboardInterrupt):
        write_predictions(path, ABOUT, interrupted)
    assert not path.exists()
    asked = []
    write_predictions(path, ABOUT, lambda done: [asked.append(done), *predictions(done)][1:])
    assert (asked, rows(path)) == ([3], [1, 2, 3, 4, 5])
    assert is_done(path, ABOUT)


def test_a_torn_line_is_written_again(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(KeyboardInterrupt):
        write_predictions(path, ABOUT, interrupted)
    (partial,) = tmp_path.iterdir()
    partial.write_bytes(partial.read_bytes()[:-3])
    write_predictions(path, ABOUT, predictions)
    assert rows(path) == [1, 2, 3, 4, 5]


def test_a_run_with_anything_different_starts_afresh(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(KeyboardInterrupt):
        write_predictions(path, ABOUT, interrupted)
    other = Manifest(settings={"top": 2}, inputs={"split": "abc"})
    asked = []
    write_predictions(path, other, lambda done: [asked.append(done), *predictions(done)][1:])
    assert asked == [0]
    assert is_done(path, other)
    assert not is_done(path, ABOUT)


def test_two_at_once_are_refused_whatever_they_predict(tmp_path):
    path = tmp_path / "a.jsonl"

    def meanwhile(done):
        for about in (ABOUT, Manifest(settings={"top": 2}, inputs={})):
            with pytest.raises(BusyError, match="another adcat is writing"):
                write_predictions(path, about, lambda done: [prediction(99)])
        write_predictions(tmp_path / "b.jsonl", ABOUT, predictions)
        yield from predictions(done)

    write_predictions(path, ABOUT, meanwhile)
    assert rows(path) == [1, 2, 3, 4, 5]
    assert is_done(path, ABOUT)
    write_predictions(path, ABOUT, lambda done: [prediction(99)])
    assert rows(path) == [99]


def test_what_a_killed_process_leaves_locks_nothing(tmp_path):
    (tmp_path / ".a.jsonl.lock").touch()
    write_predictions(tmp_path / "a.jsonl", ABOUT, predictions)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.manifest.json"]


def test_no_answers_are_a_file_too(tmp_path):
    for suffix in ("jsonl", "csv", "parquet"):
        write_predictions(tmp_path / f"a.{suffix}", ABOUT, lambda done: [])
        assert is_done(tmp_path / f"a.{suffix}", ABOUT)


def make_shard(path, number, of=3, rows=7, **changed):
    """A share of the predictions of a table of so many rows."""
    settings = {**ABOUT.settings, "shard": f"{number}/{of}"}
    about = dataclasses.replace(ABOUT, settings=settings)
    own = [row for row in range(1, rows + 1) if Shard(number, of).holds(row)]
    made = dataclasses.replace(about, **changed)
    write_predictions(shard_file(path, Shard(number, of)), made, lambda done: map(prediction, own))


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("rows", [0, 2, 7])
def test_shards_are_put_together_in_the_tables_order(tmp_path, suffix, rows):
    about = dataclasses.replace(ABOUT, settings={**ABOUT.settings, "shard": "1/1"})
    path, whole = tmp_path / f"a.{suffix}", tmp_path / f"whole.{suffix}"
    for number in (2, 3, 1):
        make_shard(path, number, rows=rows)
    merge_predictions(path, about)
    write_predictions(whole, about, lambda done: map(prediction, range(1, rows + 1)))
    assert path.read_bytes() == whole.read_bytes()
    assert is_done(path, about)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "is missing or not finished"),
        (lambda path: path.with_name(f"{path.name}.manifest.json").unlink(), "is missing or"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "was edited"),
        (lambda path: make_shard(path.with_name("a.csv"), 2, inputs={"split": "other"}),
         "was made with split other, not abc"),
        (lambda path: make_shard(path.with_name("a.csv"), 2, settings={"top": 2}),
         "was made with top 2, not 1"),
        (lambda path: make_shard(path.with_name("a.csv"), 2, notes={"table_sha256": "8" * 64}),
         "was made with another table_sha256"),
        (lambda path: make_shard(path.with_name("a.csv"), 2, settings={"top": 1, "shard": "1/3"}),
         "was edited"),
    ],
)  # fmt: skip
def test_a_shard_that_does_not_fit_is_named(tmp_path, spoil, said):
    path = tmp_path / "a.csv"
    for number in (1, 2, 3):
        make_shard(path, number)
    spoil(tmp_path / "a-2-of-3.csv")
    with pytest.raises(AdcatError) as raised:
        merge_predictions(path, ABOUT)
    assert str(raised.value).startswith(f"{tmp_path}/a-2-of-3.csv {said}")
    again = "; type the same command with --shard 2/3 instead of --merge"
    assert str(raised.value).endswith(again)
    assert not path.exists()


def test_there_must_be_shards_of_one_number(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(
        AdcatError, match="no shards to merge were found; make them: type the same command"
    ):
        merge_predictions(path, ABOUT)
    make_shard(path, 1, 3)
    make_shard(path, 1, 2)
    with pytest.raises(AdcatError, match="there are shards of 2 and 3; remove those of one number"):
        merge_predictions(path, ABOUT)
