"""What a bench writes and prints."""

import errno
import json
import struct
import sys
import tempfile
from html.parser import HTMLParser

import bench_toys as toys
import pytest

from netwright.bench import drawing
from netwright.bench.page import page
from netwright.bench.text import describe, digits
from netwright.bench.writing import write
from netwright.errors import ResourceError


@pytest.fixture(scope="module")
def made():
    names = {"random": 1, "evolution(population=5,tournament=2)": 2, "a<b": 4}
    return toys.comparison({name: toys.improving(skill, skill=skill) for name, skill in names.items()})


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write(made, folder)
    return folder


class Reader(HTMLParser):
    """Notes the elements that are open, and what the page asks others for."""

    EMPTY = ("meta", "img", "wbr", "br")

    def __init__(self):
        super().__init__()
        self.open, self.asked, self.seen = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.asked += [value for name, value in attributes if name in ("src", "href") and value[:5] != "data:"]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()


def test_everything_is_written(written):
    """The rows, the pictures and the page, and nothing half-done."""
    files = {"results.json", "regret.png", "critical_difference.png", "landscape.png", "report.html"}
    assert files == {file.name for file in written.iterdir()}


def test_the_rows_are_the_json(made, written):
    """What --json prints stands in results.json."""
    assert json.loads(json.dumps(made.to_value())) == json.loads((written / "results.json").read_text())


def test_the_pictures_are_pictures(written):
    """PNG of a size that can be looked at."""
    for name in ("regret.png", "critical_difference.png"):
        data = (written / name).read_bytes()
        assert b"\x89PNG\r\n\x1a\n" == data[:8]
        width, height = struct.unpack(">II", data[16:24])
        assert 800 <= width <= 2500
        assert 150 <= height <= 1200


def test_the_page_needs_nobody(written):
    """Well-formed, with its pictures inside, without script and without another address."""
    text = (written / "report.html").read_text()
    reader = Reader()
    reader.feed(text)
    assert ([], []) == (reader.open, reader.asked)
    assert 3 == reader.seen.count("img")
    assert "script" not in reader.seen
    assert "http" not in text


def test_the_page_has_all_parts(made, written):
    """Names are escaped, every strategy and question is there."""
    text = (written / "report.html").read_text()
    assert "a&lt;b" in text
    assert "a<b" not in text
    for part in ("What was found", "Chance to win", "Tests", "What the runs used", "The table", "Checklist"):
        assert f"<h2>{part}" in text
    assert 16 == text.count("?</td>")


def test_without_matplotlib_the_rest_is_written(made, tmp_path, monkeypatch):
    """The page says what to install, and the comparison knows it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    rows = {name: runs.rows for name, runs in made.runs.items()}
    poorer = toys.comparison(rows)
    write(poorer, tmp_path)
    assert {"results.json", "report.html"} == {file.name for file in tmp_path.iterdir()}
    assert "pip install &#x27;netwright[plot]&#x27;" in (tmp_path / "report.html").read_text()
    assert "netwright[plot]" in poorer.missing.hint


def test_a_folder_in_the_place_of_a_file_is_told(made, tmp_path):
    """With the file's name and that the runs are kept; nothing half-done stays."""
    (tmp_path / "report.html").mkdir()
    with pytest.raises(ResourceError, match=r"cannot write .*report.html: Is a directory. The runs are kept"):
        write(made, tmp_path)
    assert [] == list(tmp_path.glob(".*"))
    assert (tmp_path / "results.json").exists()


def test_a_folder_that_became_read_only_is_told(made, tmp_path, monkeypatch):
    """Root may write anywhere, so the refusal is made here."""

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(ResourceError, match=r"cannot write .*results.json: Permission denied") as caught:
        write(made, tmp_path)
    assert 7 == caught.value.code


def test_the_same_rows_give_the_same_picture(made):
    """Nothing of the day or the machine is in it."""
    assert drawing.regret(made) == drawing.regret(made)


def test_a_single_strategy_can_be_drawn():
    """It has curves, and no ranks."""
    alone = toys.comparison({"random": toys.improving(1)})
    assert drawing.critical_difference(alone) is None
    assert drawing.regret(alone)[:4] == b"\x89PNG"


def test_many_strategies_can_be_drawn():
    """Twenty of them, all equal, with no regret left."""
    best = int(toys.table().column("test@9").mean.argmax())
    many = toys.comparison({f"strategy{index}": [[best] * 12] * 3 for index in range(20)}, queries=12)
    assert drawing.regret(many)[:4] == b"\x89PNG"
    assert drawing.critical_difference(many)[:4] == b"\x89PNG"


def test_the_text_is_a_table(made):
    """A line a strategy, the best first, and what the tests say."""
    lines = describe(made).splitlines()
    head = next(index for index, line in enumerate(lines) if "area" in line)
    assert made.order() == [line.split()[0] for line in lines[head + 1 : head + 4]]
    assert lines[head].split() == ["10", "12", "area", "rank", "seconds"]
    assert any("Mann–Whitney" in line for line in lines)
    assert sum(" of " in line or " from " in line for line in lines if line.startswith("  ")) >= 3


def test_one_run_has_no_interval():
    """A dash stands in its place, in the text and on the page; two runs have one."""
    one, two = (toys.comparison({name: toys.improving(1, count=count) for name in ("a", "b")}) for count in (1, 2))
    lines = [line for line in describe(one).splitlines() if line[:2] in ("a ", "b ")]
    assert [2, 2] == [line.count("[–]") for line in lines]
    assert 0 == describe(two).count("[–]")
    assert 6 == page(one, {}).count("<small>–</small>")
    assert 0 == page(two, {}).count("<small>–</small>")


def test_all_that_was_written_is_named(tmp_path):
    """No picture of ranks for one strategy; without a report the runs alone."""
    made = toys.comparison({"random": toys.improving(1)}, folder=tmp_path)
    assert describe(made).endswith(f"written to {tmp_path}: the runs")
    write(made, tmp_path)
    last = describe(made).splitlines()[-1]
    assert f"written to {tmp_path}: report.html, results.json, regret.png, landscape.png, the runs" == last
    assert {*made.written} == {file.name for file in tmp_path.iterdir()}


def test_failed_runs_are_told():
    """They are not hidden behind those that went well."""
    made = toys.comparison({"random": toys.improving(1)})
    made.runs["random"] = toys.runs("random", toys.improving(1), failed=2)
    assert "random: 2 runs failed" in describe(made)


@pytest.mark.parametrize(
    ("value", "text"),
    [(94.3712, "94.37"), (0.5, "0.5000"), (3.25, "3.250"), (12345.6, "12346"),
     (2e-5, "2e-05"), (-7, "-7.000"), (0, "0")],
)  # fmt: skip
def test_digits(value, text):
    """As many as matter."""
    assert text == digits(value)
