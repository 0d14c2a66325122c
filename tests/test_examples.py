"""Every example runs, with small limits, in a process and a folder of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LIMITS = {
    "audio.py": ("8s", r"accuracy on the test part: [01]\.\d"),
    "digits.py": ("4s", r"accuracy|undecided"),
    "language_model.py": ("10s", r"n14 = [\s\S]*perplexity \d+\.\d\d of \d\d characters"),
    "forecasting.py": ("8s", r"mean absolute scaled error of these two weeks: \d+\.\d"),
    "limits_and_export.py": ("4s", r"digits\.pt2: [\d,]+ bytes; three images give outputs of shape \(3, 10\)"),
    "multimodal.py": ("8s", r"new examples \d+\.\d% have the right digit"),
    "own_space.py": ("3", r"best: \d"),
    "own_strategy.py": ("30", r"ThresholdAccepting +\d+ of 60"),
    "text_classification.py": ("8s", r"\w+: Filter a noisy wave"),
    "series_classification.py": ("8s", r"accuracy on the test part: [01]\.\d"),
    "transfer_cells.py": ("quick", r"coloured digits: the cell transferred has \d+\.\d%"),
    "tables.py": ("2", r"roc_auc +0\.\d+ \(baseline[\s\S]*\['"),
    "table.py": ("2", r"\['class_\d', 'class_\d'\]"),
}
"""The argument that makes each one short, and what it prints."""


def test_every_example_is_tried():
    """Nothing lies in the folder that the table above does not have."""
    assert sorted(LIMITS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LIMITS))
def test_an_example(name, tmp_path):
    """It ends well, and prints what it is for, no traceback and no error."""
    limit, expected = LIMITS[name]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, limit],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
    )
    assert done.returncode == 0, done.stderr
    assert not re.search("Traceback|ERROR|Error:", done.stdout + done.stderr)
    assert re.search(expected, done.stdout)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_an_example_says_what_it_shows(name):
    """Its docstring begins with a sentence and ends with the command."""
    text = (EXAMPLES / name).read_text()
    assert re.match(r'"""[A-Z].*?\n\npython examples/' + re.escape(name) + r' \[\w+\]\n"""\n', text, re.DOTALL)
