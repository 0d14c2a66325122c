"""The official files of NAS-Bench-201 and NATS-Bench: folders ``NATS-…-simple``, ``.pickle.pbz2`` and ``.pth``.

Read by the restricted unpickler. An entry is, for each architecture and schedule (``"12"``, ``"200"``; ``less`` and
``full`` in the older file), the runs by data set and seed, each with its numbers by epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.errors import InputError
from netwright.evaluators.tables.nasbench201 import ABOUT, ARGUMENTS
from netwright.evaluators.tables.runs import Run, table_of_runs
from netwright.evaluators.tables.table import Table
from netwright.evaluators.tables.unpickling import load_restricted

SCHEDULES = {"less": 12, "full": 200, "01": 1, "12": 12, "90": 90, "200": 200}


def is_nats(path: Path) -> bool:
    """Whether a path looks like one of these."""
    return (path.is_dir() and (path / "meta.pickle.pbz2").is_file()) or path.name.endswith((".pickle.pbz2", ".pth"))


def read_nats(path: Path) -> Table:
    """The table in a folder or a file; of the topology space or of the size space, as its architectures say."""
    if path.is_dir():
        meta = load_restricted(path / "meta.pickle.pbz2")
        entries = _entries_of_folder(path)
    else:
        meta = load_restricted(path)
        entries = _entries_of_file(meta)
    texts = meta.get("meta_archs") if isinstance(meta, Mapping) else None
    if not isinstance(texts, Sequence) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{path} is not a file of NATS-Bench: it has no list 'meta_archs' of architectures")
    runs = _runs(entries, path)
    if ":" in texts[0]:
        from netwright.zoo import nats_size

        about = {**ABOUT, "source": "NATS-Bench, size space (Dong et al., TPAMI 2021)"}
        space = nats_size.space(**ARGUMENTS["cifar10"])
        return table_of_runs("nats-size", space, runs, nats_size.from_string, texts, about)
    from netwright.zoo import nasbench201

    space = nasbench201.space(**ARGUMENTS["cifar10"])
    return table_of_runs("nasbench201", space, runs, nasbench201.from_string, texts, ABOUT)


def _entries_of_folder(path: Path) -> Iterator[Mapping[str, Any]]:
    for file in sorted(path.glob("[0-9]*.pickle.pbz2")):
        yield load_restricted(file)


def _entries_of_file(meta: Any) -> Iterator[Mapping[str, Any]]:
    infos = meta.get("arch2infos") if isinstance(meta, Mapping) else None
    if isinstance(infos, Mapping):
        yield from infos.values()


def _runs(entries: Iterator[Mapping[str, Any]], path: Path) -> Iterator[Run]:
    for entry in entries:
        try:
            for schedule, state in entry.items():
                epochs = SCHEDULES[str(schedule)]
                text = state["arch_str"]
                for (dataset, seed), result in state["all_results"].items():
                    yield _run(text, epochs, dataset, int(seed), result)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path} holds something else than the runs of NATS-Bench: {type(error).__name__}: {error}"
            ) from None


def _run(text: str, epochs: int, dataset: str, seed: int, result: Mapping[str, Any]) -> Run:
    last = int(result["epochs"])
    numbers = {
        "train": _by_epoch(result["train_acc1es"], last),
        "train-loss": _by_epoch(result["train_losses"], last),
    }
    accuracies = result["eval_acc1es"]
    for split in result["eval_names"]:
        found = [accuracies.get(f"{split}@{epoch}") for epoch in range(last)]
        # Older files evaluate some splits after the last epoch alone.
        numbers[split] = [float(number) for number in found if number is not None]
    times = result.get("train_times")
    seconds = None if times is None else float(sum(times.values() if isinstance(times, Mapping) else times))
    return Run(
        text, epochs, dataset, seed, numbers, seconds, float(result["params"]) * 1e6, float(result["flop"]) * 1e6
    )


def _by_epoch(found: Any, last: int) -> list[float]:
    values = [found[epoch] for epoch in range(last) if epoch in found] if isinstance(found, Mapping) else found or []
    return [float(value) for value in values]
