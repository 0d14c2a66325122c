"""Writing goes on, or not, but never stops the search."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import pytest

from netwright.cli import output
from netwright.cli.output import Careful, answer_json

TEXT = "x" * 200_000


def test_a_pipe_that_nobody_reads_is_not_waited_for() -> None:
    """What does not fit into the pipe is dropped, and nothing hangs; later there is room again."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        careful = Careful(stream, patience=0.01)
        careful.write(TEXT)
        held = len(os.read(reader, len(TEXT)))
        assert 0 < held < len(TEXT)
        careful.write("again")
        assert os.read(reader, 100) == b"again"
    os.close(reader)


def test_a_pipe_whose_reader_has_gone() -> None:
    """The stream is given up without an error."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        careful = Careful(stream)
        careful.write(TEXT)
        assert careful.working is False


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk() -> None:
    """The stream is given up without an error, at the end of the process too."""
    with open("/dev/full", "w") as stream:
        careful = Careful(stream)
        careful.write("x")
        assert careful.working is False


def test_a_stream_without_a_number() -> None:
    """A notebook's stream is written to as it is."""
    stream = io.StringIO()
    careful = Careful(stream)
    careful.write("a")
    stream.close()
    careful.write("b")
    assert careful.working is False


def test_json_is_utf8_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """What programs read does not depend on the terminal's character set."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    answer_json({"text": "größer – 😀"})
    assert raw.getvalue().decode() == '{"text":"größer – 😀"}\n'


@pytest.mark.parametrize("function", [output.answer, output.answer_json])
def test_an_answer_to_nobody(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    """A closed standard output is no error."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        function("x")
        monkeypatch.undo()
