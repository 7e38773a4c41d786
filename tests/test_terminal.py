"""What reaches the terminal: nothing that it would obey, nothing too wide, nothing lost."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from handmade import certain, make_fused
from hostile import delimited, draw_photos
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from sealed import LABELS, make_workspace

from adcat.cli.terminal import visible

NASTY = "\x1b[2J\x07\x9b31m\u202e\r[/]:car:\\"
SHOWN = r"\u001b[2J\u0007\u009b31m\u202e\r[/]:car:" + "\\"


def on_a_terminal(*words, columns=80):
    """What a command writes on a terminal of this width, and its exit code."""
    main, end = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "adcat", *map(str, words)]
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=environment) as process:
        os.close(end)
        written = b""
        while True:
            try:
                arrived = os.read(main, 1 << 16)
            except OSError:  # how Linux tells that nobody holds the other end
                break
            if not arrived:
                break
            written += arrived
    os.close(main)
    return written.decode(), process.returncode


def lines_of(written):
    """The lines as they stand there in the end, without colours."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    return [line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n")]


@given(st.text())
def test_text_stays_readable_and_json_stays_json(text):
    shown = visible(text)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown
    )
    document = json.dumps(text, ensure_ascii=False)
    assert json.loads(visible(document)) == text
    assert visible(shown) == shown


@pytest.mark.parametrize("text", ["Möbler & 椅子", "👩‍🔧", "عربي", "a\nb", "می‌خواهم", "x\u00a0y"])
def test_what_people_write_is_left_alone(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    "position",
    ["category", *(pytest.param(name, marks=pytest.mark.soak) for name in ("folder", "option"))],
)
def test_no_name_drives_the_terminal(tmp_path, position):
    nasty = NASTY.replace("/", "") if position == "folder" else NASTY
    folder = draw_photos(tmp_path / (nasty if position == "folder" else "data"))
    category = nasty if position == "category" else "Möbler"
    rows = [(i, f"Soffa {i}", "", category if i % 3 else "Cyklar", f"{i}.png") for i in range(10)]
    (folder / "ads.csv").write_bytes(delimited(rows, end="\r\n").encode())
    options = ["--exact", *(["--column", f"title={nasty}"] if position == "option" else [])]
    written, code = on_a_terminal("-w", tmp_path / "w", "split", folder / "ads.csv", *options)
    assert code == (1 if position == "option" else 0), written
    assert "\x1b[2J" not in written
    assert not set("\x07\x9b\u202e") & set(written)
    if position == "category":
        assert f"the largest, {SHOWN}, has" in "\n".join(lines_of(written))


def test_tables_fit_80_columns(tmp_path):
    workspace = make_workspace(tmp_path / "w")
    probs = {part: certain(LABELS[part], 3) for part in ("validation", "test")}
    make_fused(workspace, "image-boost-prop", probs)
    written, code = on_a_terminal("-w", workspace.root, "error-groups")
    assert code == 0, written
    lines = [line for line in lines_of(written) if str(tmp_path) not in line]  # paths are not cut
    assert max(map(cell_len, lines)) <= 80
    assert any(re.match(r" image-boost-prop +\d", line) for line in lines)  # all on one line
