"""The task that only attention solves, shortened."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.mark.soak
def test_attention_reads_in_the_text_which_of_two_things_is_for_sale(tmp_path):
    script = PROJECT / "benchmarks" / "planted_task.py"
    how = "--ads", "1500", "--points", "e", "--over", "wh", "--epochs", "3"
    done = subprocess.run(
        [sys.executable, script, tmp_path, *how], capture_output=True, text=True, check=True
    )
    lines = re.findall(r"^(\S.*?) +([\d.]+) % \(", done.stdout, flags=re.MULTILINE)
    top1 = {name: float(share) for name, share in lines}
    attention = top1.pop("attend-e-wh")
    assert {"text", "image", "concat", "stack", "joined at the end, all layers"} <= top1.keys()
    assert attention > 70
    assert max(top1.values()) < 60  # a guess between the two, within chance
    (found,) = re.findall(r"([\d.]+)% of attention on ([\d.]+)%", done.stdout)
    assert float(found[0]) > 1.5 * float(found[1])
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "planted-task.png",
        "planted-maps.png",
    }
