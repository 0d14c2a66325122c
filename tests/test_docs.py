"""What the documentation says is so: its programs run, its commands exist, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from netwright.cli.app import app
from netwright.strategies import STRATEGIES
from netwright.strategies.oneshot import METHODS
from netwright.zoo import SPACES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}

SHORTER = [
    (r"time_limit=\"\d+[smh]\"", 'time_limit="3s"'),
    (r"max_trials=(?:[4-9]|\d\d+)", "max_trials=4"),
]
"""Limits are made small, by pattern and replacement; nothing else of a program is changed."""


def fences(text: str) -> list[tuple[int, str, str]]:
    """The fenced blocks of a page: the number of their first line, their language, what stands in them."""
    return [
        (text.count("\n", 0, match.start(2)), match[1], match[2])
        for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def program(text: str) -> str:
    """All blocks of Python of a page as one program, each on the lines where it stands."""
    lines: list[str] = []
    for line, language, block in fences(text):
        if language == "python":
            lines += [""] * (line - len(lines)) + block.splitlines()
    source = "\n".join(lines) + "\n"
    for pattern, replacement in SHORTER:
        source = re.sub(pattern, replacement, source)
    return source


def commands(text: str) -> list[str]:
    """Every ``netwright …`` of a page, in blocks and between backquotes, without its comment."""
    found = []
    for _, language, block in fences(text):
        if language != "python":
            found += re.findall(r"^(?:\$ )?(netwright .*)$", block.replace("\\\n", " "), re.MULTILINE)
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found += re.findall(r"`(netwright [^`]+)`", plain)
    return [" ".join(command.split()) for command in found]


def parse(command: str) -> dict[str, Any]:
    """What the command line would be called with; raises what it says of a wrong option."""
    group: Any = typer.main.get_command(app)
    words = shlex.split(command, comments=True)[1:]
    if words[0].startswith("-"):
        group.make_context("netwright", words)
        return {}
    with group.make_context("netwright", list(words)) as context:
        _, verb, rest = group.resolve_command(context, words)
        with verb.make_context(verb.name, list(rest), parent=context) as called:
            if not hasattr(verb, "commands") or not rest or rest[0].startswith("-"):
                return dict(called.params)
            # A verb of verbs, such as tables show.
            _, inner, rest = verb.resolve_command(called, list(rest))
            with inner.make_context(inner.name, list(rest), parent=called) as innermost:
                return dict(innermost.params)


def verbs() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


COMMANDS = sorted({(page, command) for page, text in TEXT.items() for command in commands(text)})


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, text in TEXT.items() if "```python" in text])
def test_the_programs_run(page: str, tmp_path: Path) -> None:
    """The blocks of a page are one program, which ends well in an empty folder."""
    file = tmp_path / "page.py"
    file.write_text(program(TEXT[page]))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", file],
        capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
    )  # fmt: skip
    assert done.returncode == 0, f"{page}:\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr


def test_there_are_programs_and_commands() -> None:
    """The patterns above find something."""
    assert "```python" in TEXT["README.md"]
    assert "```python" in TEXT["docs/all_of_it.md"]
    assert len(COMMANDS) > 15


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_exists(page: str, command: str) -> None:
    """Its verb, its options and the names that it gives are known."""
    given = parse(command)
    names = {"strategy": [*STRATEGIES, *METHODS], "space": SPACES}
    for option, known in names.items():
        name = str(given[option]).partition("(")[0] if given.get(option) else None
        assert name is None or name == "NAME" or ".py:" in name or name in known


def test_a_wrong_command_would_be_found() -> None:
    """An unknown verb and an unknown option do not pass."""
    for command in ("netwright serach digits", "netwright search digits --time 60s", "netwright export DIR"):
        with pytest.raises(Exception, match=r"[Nn]o such|[Mm]issing"):
            parse(command)


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_verb_is_documented(verb: str) -> None:
    """In the README or on the page of everything, with all of its options on the latter."""
    told = TEXT["docs/all_of_it.md"]
    assert re.search(rf"^netwright {verb}\b", told, re.MULTILINE)
    inner = getattr(verbs()[verb], "commands", {})
    parameters = [parameter for command in (verbs()[verb], *inner.values()) for parameter in command.params]
    options = {option for parameter in parameters for option in parameter.opts if option.startswith("--")}
    assert [name for name in inner if f"netwright {verb} {name}" not in told] == []
    assert sorted(option for option in options - {"--help"} if not re.search(rf"{option}\b", told)) == []


@pytest.mark.parametrize("page", sorted(TEXT))
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link of a page names a file that is there."""
    text = re.sub(r"^```.*?^```$", "", TEXT[page], flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    there = (ROOT / page).parent
    assert [target for target in targets if "://" not in target and not (there / target).exists()] == []


@pytest.mark.parametrize("name", [*STRATEGIES, *SPACES])
def test_every_name_is_documented(name: str) -> None:
    """Strategies stand among the methods, spaces somewhere in the documentation."""
    where = [TEXT["docs/methods.md"]] if name in STRATEGIES else TEXT.values()
    assert any(f"`{name}`" in text for text in where)
