import json

import pytest

from adcat.errors import BusyError
from adcat.prediction.output_files import is_done, write_predictions
from adcat.workspace.manifest import Manifest

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
