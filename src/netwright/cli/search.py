"""``netwright search DATA``: from a data set to a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from netwright.cli.live import Live
from netwright.cli.options import Debug, Jobs, Json, MaxTrials, Quiet, TimeLimit, parse_constraints, seconds
from netwright.cli.output import answer, answer_json
from netwright.cli.stopping import handing_over
from netwright.errors import InputError


def search(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A bundled set (digits, breast_cancer, diabetes, iris, wine, fashion-mnist), a file (.csv, .tsv, "
            ".parquet, .npz, IDX, .txt), or a folder with a sub-folder of images, texts or sounds a class.",
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            metavar="T",
            help="images, tables, text, series, audio, language, forecast; or what is predicted, classification, "
            "multilabel, regression; or both, as text-regression. auto reads it off the data.",
        ),
    ] = "auto",
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of a CSV file to predict.")] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The steps to forecast, with --task forecast.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="How data are read; may be repeated. Of a forecast horizon, lookback, season, date, "
            "series, known, past; of texts tokens; of sounds rate; of tables, texts and series na.",
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that are no images, and name them at the end.")
    ] = False,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.py:Net", help="What is searched: see netwright spaces, or a network of your own."
        ),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="How it is searched: see netwright strategies; or 'evolution(population=20)'."
        ),
    ] = "auto",
    evaluate: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="train, or spos, fairnas, ofa, sandwich: they train a supernet, which --strategy searches.",
        ),
    ] = "train",
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="M",
            help="What a good network is: accuracy, r2, rmse, perplexity, mase, loss, or one of scikit-learn's, "
            "as f1_macro; one that is unknown lists all.",
        ),
    ] = None,
    maximize: Annotated[
        list[str] | None, typer.Option(metavar="M", help="A further objective; may be repeated.")
    ] = None,
    minimize: Annotated[
        list[str] | None,
        typer.Option(
            metavar="M",
            help="A further objective: params, macs, flops, memory, activations, size_mb, "
            "latency_ms, peak_memory, energy_j; may be repeated.",
        ),
    ] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(metavar="M=VALUE", help="At most VALUE, as params=1e5; what is over it is never trained."),
    ] = None,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="Limits where none is given: tiny, quick, balanced (ten minutes), best."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="One trial of one epoch and all that follows it: does everything work?")
    ] = False,
    jobs: Jobs = None,
    class_weight: Annotated[
        list[str] | None,
        typer.Option(metavar="balanced|CLASS=W", help="How much a class counts in training; balanced: all alike."),
    ] = None,
    parallel: Annotated[
        int,
        typer.Option(metavar="K", min=1, help="Trials under way at once; the history depends on it, not on --jobs."),
    ] = 4,
    asynchronous: Annotated[bool, typer.Option("--asynchronous", help="Never wait; gives up reproducibility.")] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Splits the data and seeds everything random.")] = 0,
    device: Annotated[
        str, typer.Option(metavar="D", help="cpu, cuda, cuda:1, mps; auto takes the best there is.")
    ] = "auto",
    on: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|RUNTIME",
            help="Where latency_ms is from: a profile of any device (netwright profile), or torch:4 here.",
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the study goes. Default: a new folder in runs/.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Another study of such data: its best first, its ranking, its weights."),
    ] = None,
    fresh_weights: Annotated[
        bool, typer.Option("--fresh-weights", help="Take no weights from the study of --start-from.")
    ] = False,
    ensemble: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Average up to N of the finalists, too, as one network. Default: none."),
    ] = 0,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Search a network for DATA and write it, ready to use.

    Stops after ten minutes unless --time-limit, --max-trials or --preset says otherwise. Ctrl-C keeps everything
    and writes the best network so far; a second one ends at once.
    """
    limit = seconds(time_limit)
    constraints = parse_constraints(constraint or ())
    both = sorted(set(maximize or ()) & set(minimize or ()))
    if both:
        raise InputError(f"{both[0]!r} is to be maximized and minimized", hint="Keep one of the two")
    if out is not None and not out.strip():
        raise InputError("--out names no folder")
    from netwright import tasks

    with handing_over(quiet=quiet, programs=json), Live(data, quiet=quiet, programs=json) as live:
        outcome = tasks.search(
            data,
            target=target,
            task=task,
            options=read_options(horizon, option or (), skip_bad),
            space=space,
            strategy=strategy,
            evaluate=evaluate,
            metric=metric,
            maximize=tuple(maximize or ()),
            minimize=tuple(minimize or ()),
            constraints=constraints,
            time_limit=limit,
            max_trials=max_trials,
            preset=preset,
            dry_run=dry_run,
            class_weight=read_class_weights(class_weight or ()),
            n_jobs=jobs,
            parallel=parallel,
            asynchronous=asynchronous,
            seed=seed,
            device=device,
            on=on,
            out=out,
            command=context.obj,
            watch=live,
            ensemble=ensemble,
            start_from=start_from,
            start_weights=not fresh_weights,
        )
    if json:
        answer_json(outcome.to_value())
    else:
        answer(outcome.text())


def read_class_weights(texts: Sequence[str]) -> str | dict[str, float] | None:
    """``balanced``, or each ``class=weight`` as a mapping; None for nothing. InputError for anything else."""
    if not texts or list(texts) == ["balanced"]:
        return "balanced" if texts else None
    weights: dict[str, float] = {}
    for text in texts:
        # The name of a class may hold an equals sign, a number does not.
        name, equals, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not equals or not name or not math.isfinite(number):
            raise InputError(
                f"--class-weight is balanced or CLASS=W, found {text!r}", hint="As in --class-weight spam=5"
            )
        if name in weights:
            raise InputError(f"--class-weight {name} is given twice", hint="Keep one of them")
        weights[name] = number
    return weights


def read_options(horizon: int | None, pairs: Sequence[str], skip_bad: bool = False) -> dict[str, Any]:
    """``name=value`` as a mapping, whole numbers as such; InputError for anything else."""
    options: dict[str, Any] = {} if horizon is None else {"horizon": horizon}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"--option takes NAME=VALUE, found {pair!r}", hint="As in --option season=7")
        value = value.strip()
        # What begins with 0 is a name.
        options[name.strip()] = int(value) if value.isdecimal() and str(int(value)) == value else value
    return {**options, "skip_bad": True} if skip_bad else options
