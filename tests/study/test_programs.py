"""Programs of every kind search with two processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import netwright as nw
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(nw.choose("width", *range(1, 9)), 2)

def evaluate(network):
    return {"score": float(network.layer.in_features)}

study = nw.Study(nw.SearchSpace(Net), "random", evaluate, maximize="score", store="run", executor="processes")
study.run(max_trials=8, n_jobs=2)
print(study.best.architecture["width"], len(study.trials), __name__)
"""


@pytest.mark.parametrize("way", ["script", "command", "standard input"])
def test_an_unguarded_program_searches_with_two_processes(tmp_path: Path, way: str) -> None:
    """Nothing guards its main module, and its classes and functions are found by the workers."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    arguments = {"script": [str(script)], "command": ["-c", PROGRAM], "standard input": ["-"]}[way]
    result = subprocess.run(
        [sys.executable, *arguments], input=PROGRAM, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert ("8 8 __main__\n", "") == (result.stdout, result.stderr)
