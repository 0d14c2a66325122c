"""The last step: the network written out beside its card, and later in other forms."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.architecture import Architecture
from netwright.errors import NetwrightError
from netwright.tasks.checks import shorten
from netwright.tasks.outcome import Outcome
from netwright.tasks.preprocessing import kind
from netwright.tasks.spaces import Found

if TYPE_CHECKING:
    from netwright.evaluators.train import Train
    from netwright.export import Examples, Training, Written
    from netwright.study import Study
    from netwright.study.selection import Scored, Selected

EXAMPLES = 32
"""Real rows on which a written network is compared with the one that was found."""

COMPARED = 64
"""Real rows on which another form is compared with the network, one, two and all at once."""
CALIBRATED = 512
"""Rows of the training part by which eight bits are calibrated, at most."""
JUDGED = 10_000
"""Rows of a part by which eight bits are judged, at most."""

CLASSES = 12
"""At most so many names of classes stand in the card."""


def ship(
    study: Study,
    selected: Selected,
    found: Found,
    train: Train,
    about: Mapping[str, Any],
    folder: Path,
    outcome: Outcome,
) -> None:
    """Writes ``folder`` (``best`` of a study); raises CheckError where the written network would answer otherwise."""
    import torch

    from netwright.export import package
    from netwright.training.weights import load_weights

    network = found.space.build(selected.trial.architecture)
    network.load_state_dict(dict(load_weights(selected.weights).state))
    network.eval()
    example = torch.from_numpy(np.array(train.data.X[:EXAMPLES], dtype=np.float32))
    extra = extra_of(selected, found, train, about)
    more = facts_of(selected, extra, about)
    text = card_of(study, selected, train, about, outcome, more)
    package(network, selected.trial.architecture, example, folder, text, extra, note=f"Input: {more['Input']}.")


def extra_of(selected: Selected, found: Found, train: Train, about: Mapping[str, Any]) -> dict[str, Any]:
    """What a package's manifest keeps of the search."""
    recipe = train.recipe.override(selected.trial.architecture)
    return {
        "space": dict(found.origin),
        "kind": about["kind"],
        "input_shape": list(train.data.input_shape),
        "outputs": train.data.outputs,
        "preprocessing": _in_own_unit(about["preprocessing"], selected.fitted),
        "recipe": recipe.replace(epochs=int(selected.fitted["epochs"])).to_value(),
    }


def facts_of(selected: Selected, extra: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, str]:
    """Rows of the card about the data and the search."""
    return {**_data_facts(extra["preprocessing"]), **_search_facts(selected, about)}


def export(folder: str | Path, to: str, destination: str | Path) -> Path:
    """:func:`write`; the path of what was written."""
    return write(folder, to, destination).path


def write(
    folder: str | Path, to: str, destination: str | Path, *, pick: str | int = "best", anew: bool = False
) -> Written:
    """Writes the network of the study in ``folder`` as ``to``, one of ``netwright.export.FORMATS``.

    ``pick`` is ``"best"`` (the one that the search chose, or its ensemble), or what
    :func:`netwright.tasks.picking.picked` takes.

    It is compared with the search's network on rows that the search never saw before it has its name; int8 is
    calibrated on rows of the training part. ``anew`` replaces a folder that was exported before. InputError where
    the search has not ended.
    """
    from netwright.export import FORMATS, unknown_format

    folder = Path(folder)
    if to not in FORMATS:
        raise unknown_format(to)
    with _collecting_later():
        from netwright.export import load_network
        from netwright.export import write as write_package
        from netwright.export.formats import require
        from netwright.tasks.picking import take
        from netwright.tasks.prediction import Predictor

        require(to)
        package = take(folder, pick)
        chosen = package == folder / "best"
        network = Predictor.open(folder, alone=True).network if chosen else load_network(package)
        return write_package(
            package,
            to,
            destination,
            network=network,
            examples=_examples(folder, package),
            training=_training(package) if to == "source" else None,
            anew=anew,
        )


@contextmanager
def _collecting_later() -> Iterator[None]:
    """No search for garbage while exporters are imported and run: it is a quarter of their time, and frees little."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _examples(folder: Path, package: Path) -> Examples | None:
    """Rows of the data beside the study; None where they are gone."""
    from netwright.export import Examples, Rows, read_manifest
    from netwright.tasks.job import configuration
    from netwright.training.data import Data

    place = folder / "data"
    if not (place / "split.npz").is_file():
        return None
    data = Data.load(place)
    with np.load(place / "split.npz", allow_pickle=False) as arrays:
        parts = {name: arrays[name] for name in ("train", "selection", "test")}
    ours = configuration(folder)["preprocessing"]["target"]
    theirs = read_manifest(package)["extra"]["preprocessing"]["target"]

    def rows(source: Data, indices: np.ndarray[Any, Any]) -> Rows:
        y = np.asarray(source.y[indices])
        if data.task == "regression":
            # What the network answers is standardised once more than what it was given.
            y = (y.astype(np.float64) * ours["std"] + ours["mean"] - theirs["mean"]) / theirs["std"]
        return Rows(np.asarray(source.X[indices], dtype=np.float32), y)

    rng = np.random.default_rng(0)
    own = place / "test"
    held_out = Data.load(own) if own.exists() else data
    test = np.arange(len(held_out)) if own.exists() else parts["test"]
    test, selection = test[:JUDGED], parts["selection"][:JUDGED]
    judged = rows(held_out, test)
    return Examples(
        inputs=judged.X[:COMPARED],
        calibration=rows(data, np.sort(rng.permutation(parts["train"])[:CALIBRATED])).X,
        selection=rows(data, selection),
        test=judged,
        task=data.task,
    )


def _training(package: Path) -> Training | None:
    """How the network is trained again; None for a package of a version that did not keep it."""
    from netwright.export import Training, load_network, read_manifest
    from netwright.export.training import initial_values
    from netwright.tasks.spaces import find_again, like

    manifest = read_manifest(package)
    about = manifest["extra"]
    if "recipe" not in about:
        return None
    # Plain source has no cells any more, whose paths could be dropped.
    recipe = {name: value for name, value in about["recipe"].items() if name not in ("drop_path", "auxiliary")}
    source = type(load_network(package, manifest))
    architecture = Architecture.from_json((package / "architecture.json").read_bytes())
    try:
        space = find_again(about["space"], **like(about)).space
        return Training(recipe, initial_values(lambda: space.build(architecture), source))
    except NetwrightError:
        # The source's own first values have to serve.
        return Training(recipe)


def _in_own_unit(preprocessing: Mapping[str, Any], fitted: Mapping[str, Any]) -> dict[str, Any]:
    """The constants with those of the training folded in, so that an output of the network becomes a number to give.

    Training standardises a target once more: out · scale + center is in the unit of the preprocessed target.
    """
    target = dict(preprocessing["target"])
    if "mean" in target:
        center, scale = float(fitted["center"][0]), float(fitted["scale"][0])
        target["mean"] += target["std"] * center
        target["std"] *= scale
    return {**preprocessing, "target": target}


def _data_facts(preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """What the network takes and what its outputs mean, as rows of the card."""
    facts, target = {"Input": kind(preprocessing).describe(preprocessing["inputs"])}, preprocessing["target"]
    named = target.get("classes", target.get("labels"))
    if named is not None:
        names = [shorten(name) for name in named]
        rest = f", … ({len(names):,} in all, see manifest.json)" if len(names) > CLASSES else ""
        facts["Classes, in the order of the outputs"] = ", ".join(names[:CLASSES]) + rest
    elif "mean" in target:
        facts["Output"] = f"the number predicted is output * {target['std']:.6g} + {target['mean']:.6g}"
    return facts


def _search_facts(selected: Selected, about: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Epochs": f"{selected.fitted['epochs']} for the network and the baseline alike",
        "Search": f"strategy {about['strategy']}, {about['trial_epochs']} epochs a trial from scratch",
        "Refitted with seeds": ", ".join(map(str, selected.winner.seeds)),
    }


def card_of(
    study: Study,
    selected: Selected,
    train: Train,
    about: Mapping[str, Any],
    outcome: Outcome,
    more: Mapping[str, str],
) -> str:
    """The card of what ``selected`` has as its winner."""
    from netwright.costs import NAMES
    from netwright.costs.timing import processor
    from netwright.export import CardFacts, Score, card

    def score(scored: Scored) -> Score:
        return Score(scored.score, scored.low, scored.high)

    winner, rival = selected.winner, selected.baseline
    costs = {name: selected.trial.metrics[name] for name in NAMES if name in selected.trial.metrics}
    # Where a latency is from stands beside it: on another runtime or machine it would be another one.
    where = {"Latency": outcome.where.replace("here", f"on {processor()}", 1)} if "latency_ms" in costs else {}
    facts = CardFacts(
        data=about["source"],
        examples=len(train.data) + (0 if train.test is None else len(train.test)),
        fingerprint=train.fingerprint,
        metric=outcome.metric,
        score=score(winner),
        verdict=outcome.text_of_verdict,
        command=about["command"] or f"netwright search {shlex.quote(about['source'])}",
        architecture=dict(selected.trial.architecture),
        name=f"{about['name']}: the network of study {study.name}" if study.name != about["name"] else about["name"],
        task=f"{train.data.task} of {about['kind']}",
        splits=about["sizes"],
        costs=costs,
        limits=about["constraints"],
        baseline=None if rival is None else rival.name,
        baseline_score=None if rival is None else score(rival),
        baseline_costs={} if rival is None else {"params": rival.params, "macs": rival.macs},
        seeds={"study, split and search": about["seed"], **dict(zip(["this network"], winner.seeds, strict=False))},
        trials=outcome.trials,
        seconds=outcome.seconds,
        more={**more, **where},
    )
    return card(facts)
