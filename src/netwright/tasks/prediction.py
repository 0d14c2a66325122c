"""Predictions of a network that a search has written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.architecture import Architecture
from netwright.errors import InputError, NetwrightError
from netwright.tasks import ensembles
from netwright.tasks.preprocessing import answers, apply
from netwright.tasks.readers import read_new

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Predictor:
    """A network with its weights and the constants of its preprocessing."""

    network: nn.Module
    preprocessing: Mapping[str, Any]
    input_shape: tuple[int, ...]

    @classmethod
    def open(cls, folder: str | Path, *, space: Any = None, alone: bool = False) -> Predictor:
        """Of the study in ``folder``: the space builds the network again, and the weights are checked by their hash.

        Where the space cannot be found again (it was an object, or its file is gone), or is another by now, the network
        is that of ``best/model.py``. An ensemble is always that of its ``model.py``; ``alone`` is the single network
        that was chosen, also where there is an ensemble.

        ``space`` is for a search that was given one as an object and whose modules are
        wanted as they were written there.

        Raises InputError for a folder without a finished search, and for files that are not those that were written.
        """
        from netwright.export import load_network, load_state, read_manifest
        from netwright.tasks.spaces import find_again, find_space, like

        best = Path(folder) / "best"
        if not best.is_dir():
            if not (Path(folder) / "study.db").exists():
                raise InputError(
                    f"{folder} is no study (no study.db in it)",
                    hint="Give the folder that a search printed, such as runs/digits-1",
                )
            raise InputError(f"the search in {folder} has not ended", hint=f"Go on with: netwright resume {folder}")
        together = ensembles.place(Path(folder))
        if together is not None and not alone:
            manifest = read_manifest(together)
            about = manifest["extra"]
            return cls(load_network(together, manifest), about["preprocessing"], tuple(about["input_shape"]))
        manifest = read_manifest(best)
        about = manifest["extra"]
        shape = tuple(about["input_shape"])
        try:
            found = find_again(about["space"], **like(about)) if space is None else find_space(space, **like(about))
            network = found.space.build(Architecture.from_json((best / "architecture.json").read_bytes()))
        except NetwrightError:
            if space is not None:
                raise
            return cls(load_network(best, manifest), about["preprocessing"], shape)
        try:
            load_state(network, best)
        except InputError:
            if space is None:
                # Another space by now, with the same decisions; a package that is damaged is not loaded so, either.
                with suppress(NetwrightError):
                    return cls(load_network(best, manifest), about["preprocessing"], shape)
            raise
        return cls(network.eval(), about["preprocessing"], shape)

    def outputs(self, X: Any) -> np.ndarray[Any, Any]:
        """The network's outputs (N, outputs), float32, for raw rows."""
        return self._run(apply(self.preprocessing, X))

    def outputs_of(self, source: str | Path) -> np.ndarray[Any, Any]:
        """The same for a file, a folder or a bundled set."""
        return self._run(read_new(source, dict(self.preprocessing)))

    def _run(self, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        from netwright.training.loop import predict as run

        if not len(inputs):
            raise InputError("there is nothing to predict: the data have no rows")
        return run(self.network, inputs)


def predict(folder: str | Path, source: str | Path, *, target: str | None = None) -> dict[str, Any]:
    """The predictions for ``source`` as a JSON object: ``predictions``, and of a classifier ``classes`` and
    ``probabilities``. ``target`` is not needed: columns that the network does not know are passed over."""
    predictor = Predictor.open(folder)
    return answers(predictor.preprocessing, predictor.outputs_of(source))


__all__ = ["Predictor", "predict"]
