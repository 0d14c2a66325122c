"""The last step: the network written out beside its card, and later into other forms."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.errors import InputError
from netwright.tasks.checks import shorten
from netwright.tasks.outcome import Outcome
from netwright.tasks.spaces import Found

if TYPE_CHECKING:
    from netwright.evaluators.train import Train
    from netwright.study import Study
    from netwright.study.selection import Scored, Selected

EXAMPLES = 32
"""Real rows on which a written network is compared with the one that was found."""

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
    extra = {
        "space": dict(found.origin),
        "kind": about["kind"],
        "input_shape": list(train.data.input_shape),
        "outputs": train.data.outputs,
        "preprocessing": _in_own_unit(about["preprocessing"], selected.fitted),
    }
    more = {**_data_facts(extra["preprocessing"]), **_search_facts(selected, about)}
    text = _card(study, selected, train, about, outcome, more)
    package(network, selected.trial.architecture, example, folder, text, extra, note=f"Input: {more['Input']}.")


def export(folder: str | Path, to: str, destination: str | Path) -> Path:
    """Writes the network of the study in ``folder`` as ``to`` (``torch`` or ``source``); the path of what was written.

    Checked on real inputs before it is written. InputError where the search has not ended.
    """
    from netwright.export import to as write

    best = Path(folder) / "best"
    if not best.is_dir():
        if not (Path(folder) / "study.db").exists():
            raise InputError(
                f"{folder} is no study (no study.db in it)",
                hint="Give the folder that a search printed, such as runs/digits-1",
            )
        raise InputError(f"the search in {folder} has not ended", hint=f"Go on with: netwright resume {folder}")
    return Path(write(best, to, destination))


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
    facts, target = {"Input": _input(preprocessing)}, preprocessing["target"]
    if "classes" in target:
        names = [shorten(name) for name in target["classes"]]
        rest = f", … ({len(names):,} in all, see manifest.json)" if len(names) > CLASSES else ""
        facts["Classes, in the order of the outputs"] = ", ".join(names[:CLASSES]) + rest
    else:
        facts["Output"] = f"the number predicted is output * {target['std']:.6g} + {target['mean']:.6g}"
    return facts


def _input(preprocessing: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    inputs = preprocessing["inputs"]
    if preprocessing["kind"] == "tables":
        return "table columns encoded as in manifest.json (numbers standardised, categories as columns of 0 and 1)"
    mean, std = (", ".join(f"{value:.6g}" for value in inputs[name]) for name in ("mean", "std"))
    shape = ", ".join(map(str, inputs["shape"]))
    return f"images (N, {shape}) standardised: (x - mean) / std with mean {mean}, std {std} per channel"


def _search_facts(selected: Selected, about: Mapping[str, Any]) -> dict[str, str]:
    facts = {
        "Epochs": f"{selected.plan.epochs} for the network and the baseline alike",
        "Search": f"strategy {about['strategy']}, {about['trial_epochs']} epochs a trial from scratch",
        "Refitted with seeds": ", ".join(map(str, selected.winner.seeds)),
    }
    if about["constraints"]:
        facts["Limits"] = ", ".join(f"{name} {value:,.0f}" for name, value in about["constraints"].items())
    return facts


def _card(
    study: Study,
    selected: Selected,
    train: Train,
    about: Mapping[str, Any],
    outcome: Outcome,
    more: Mapping[str, str],
) -> str:
    from netwright.export import CardFacts, Score, card

    def score(scored: Scored) -> Score:
        return Score(scored.score, scored.low, scored.high)

    winner, rival = selected.winner, selected.baseline
    shown = ("params", "macs", "memory", "latency_ms")
    costs = {name: selected.trial.metrics[name] for name in shown if name in selected.trial.metrics}
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
        baseline=rival.name,
        baseline_score=score(rival),
        baseline_costs={"params": rival.params, "macs": rival.macs},
        seeds={"study, split and search": about["seed"], "this network": winner.seeds[0]},
        trials=outcome.trials,
        seconds=outcome.seconds,
        more=more,
    )
    return card(facts)
