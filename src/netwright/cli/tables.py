"""``netwright tables``: the tables that benches run on: which there are, what is in them, how to bring one in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.live import Live
from netwright.cli.options import Debug, Jobs, Json, Quiet
from netwright.cli.output import answer, answer_json, plain
from netwright.errors import InputError

if TYPE_CHECKING:
    from netwright.evaluators.tables import Table

tables = typer.Typer(
    name="tables",
    add_completion=False,
    rich_markup_mode=None,
)


@tables.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """List, show, import and make tables of results, which netwright bench runs on."""
    if context.invoked_subcommand is None:
        answer(context.get_help())


@tables.command()
def show(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A table's name or file; without it all are listed.")
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the tables that are known, or show what one holds: decisions, metrics with their fidelities, origin."""
    from netwright.evaluators.tables import open_table

    value = {"tables": _known()} if table is None else _contents(open_table(table))
    if json:
        answer_json(value)
    elif table is None:
        answer(_list_text(value["tables"]))
    else:
        answer(_contents_text(value))


@tables.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An official file or folder, an .npz or a .json.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call it. Default: its own name.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE.npz", help="Where to write it. Default: NAME.npz in the folder of tables."),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Read a table of any known format and write it, condensed, into the folder of tables ($NETWRIGHT_TABLES)."""
    from netwright.evaluators.tables import import_table

    table, path = import_table(Path(file), name=name, out=None if out is None else Path(out))
    if json:
        answer_json({"out": str(path), **_contents(table)})
    else:
        answer(f"{plain(path)}: {_size_text(table)}")


@tables.command()
def make(
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="See netwright spaces; or FILE.py:Net, a network of your own.")
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A bundled set (digits, …), a file or a folder.")],
    epochs: Annotated[
        str, typer.Option(metavar="E,…", help="Trains for the last; scores are kept after each of them.")
    ],
    out: Annotated[str, typer.Option(metavar="FILE.npz", help="Where the table goes; its studies beside it.")],
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Trainings of each network.")] = 2,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of a CSV file to predict.")] = None,
    task: Annotated[
        str, typer.Option(metavar="T", help="images, tables, classification, regression; auto reads it off the data.")
    ] = "auto",
    jobs: Jobs = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the first N networks, to try it out.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train every network of SPACE on DATA and write the table of what came of it.

    Of networks that are one function one is trained. Ctrl-C keeps everything: the same command goes on.
    """
    from netwright.tasks.making import make as make_table

    with Live(f"table {Path(out).stem}", quiet=quiet, programs=json) as live:
        table = make_table(
            space,
            data,
            epochs=_epochs(epochs),
            out=Path(out),
            target=target,
            task=task,
            seeds=seeds,
            jobs=jobs or os.cpu_count() or 1,
            limit=limit,
            watch=live,
        )
    if json:
        answer_json({"out": out, **_contents(table)})
    else:
        answer(f"{plain(out)}: {_size_text(table)}; functions: {table.about['functions'].partition(';')[0]}")


def _epochs(text: str) -> list[int]:
    """``"1,2,4"`` as numbers."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise InputError(f"--epochs is numbers with commas between, found {text!r}", hint="Write for example 1,2,4,8")
    return [int(word) for word in words]


def _size_text(table: Table) -> str:
    return f"{_count(len(table), 'architecture')}, {_count(len(table.columns), 'column')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _known() -> list[dict[str, Any]]:
    from netwright.evaluators.tables import TABLES
    from netwright.evaluators.tables.known import find_table, imported_names

    rows = []
    for name in [*TABLES, *(name for name in imported_names() if name not in TABLES)]:
        found = find_table(name)
        known = TABLES.get(name)
        rows.append(
            {
                "name": name,
                "summary": "a table of one's own" if known is None else known.summary,
                "file": None if found is None else str(found),
                "get": None if found is not None or known is None else known.get,
            }
        )
    return rows


def _list_text(rows: list[dict[str, Any]]) -> str:
    from netwright.cli.spaces import columns

    lines = columns([(row["name"], "there" if row["file"] else "absent", row["summary"]) for row in rows])
    absent = [f"{row['name']}: {row['get']}" for row in rows if row["get"]]
    return lines if not absent else lines + "\n\nTo have the others:\n" + "\n".join(absent)


def _contents(table: Table) -> dict[str, Any]:
    metrics = [
        {
            "metric": metric,
            "fidelities": list(table.fidelities(metric)),
            "seeds": [table.find(metric, fidelity).seeds for fidelity in table.fidelities(metric)],
            "seconds": table.times.get(metric),
        }
        for metric in table.metrics
    ]
    return {
        "name": table.name,
        "architectures": len(table),
        "size": int(table.space.size),
        "decisions": [
            {"name": decision.name, "options": list(decision.options or ())} for decision in table.space.decisions
        ],
        "metrics": metrics,
        "costs": list(table.costs),
        "about": dict(table.about),
    }


def _contents_text(value: dict[str, Any]) -> str:
    from netwright.cli.spaces import columns
    from netwright.evaluators.tables import column_name

    lines = [f"{value['name']}: {_count(value['architectures'], 'architecture')}"]
    if value["size"] != value["architectures"]:
        lines[0] += f" of a space of {value['size']:,}"
    lines += ["", "decisions"]
    lines += _indented(
        columns([(row["name"], ", ".join(_word(option) for option in row["options"])) for row in value["decisions"]])
    )
    lines += ["", "metrics, as --maximize and --score take them"]
    rows: list[tuple[str, ...]] = []
    for row in value["metrics"]:
        for fidelity, seeds in zip(row["fidelities"], row["seeds"], strict=True):
            told = "the mean" if seeds is None else "1 seed" if seeds == 1 else f"{seeds} seeds"
            timed = "seconds known" if row["seconds"] else ""
            rows.append((column_name(row["metric"], fidelity), told, timed))
    lines += _indented(columns(rows)) if rows else ["  none"]
    if value["costs"]:
        lines += ["", "costs", f"  {', '.join(value['costs'])}"]
    if value["about"]:
        lines += ["", "about"]
        lines += _indented(columns(list(value["about"].items())))
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _word(option: Any) -> str:
    return "(" + ", ".join(map(str, option)) + ")" if isinstance(option, tuple | list) else str(option)
