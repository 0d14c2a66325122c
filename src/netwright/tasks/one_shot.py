"""A one-shot search as a job: the supernet is trained within the study, examined, and ranked or searched."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from netwright.architecture import Answer, Architecture
from netwright.costs import COSTS, Latency, Profile, profiling
from netwright.costs.base import Example
from netwright.costs.kernels import kernels_of
from netwright.errors import InfeasibleError, InputError, NetwrightError, SpaceError
from netwright.evaluators.base import Evaluator
from netwright.evaluators.shared_weights import SharedWeights
from netwright.evaluators.train import Train
from netwright.executors import InProcess
from netwright.progress import Watch
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.evolution import Evolution
from netwright.strategies.oneshot.enas import ENAS
from netwright.strategies.oneshot.hardware import Costs
from netwright.strategies.oneshot.making import make
from netwright.strategies.oneshot.one_shot import OneShot
from netwright.strategies.oneshot.random_weights import RandomWeights
from netwright.strategies.oneshot.ranked import Ranked
from netwright.study import Study
from netwright.study.candidates import make_limits
from netwright.study.examination import FEWEST, PROBES, examine
from netwright.study.feasibility import STATIC, Feasibility
from netwright.study.signals import Signals
from netwright.supernet.operations import Operation, OperationTable
from netwright.supernet.penalties import Added, Lagrangian, Penalty
from netwright.supernet.supernet import Supernet
from netwright.supernet.superposition import unmixable
from netwright.tasks.profiles import again
from netwright.tasks.trying import fault

FOLDER = "supernet"
SUPERNET_SHARE = 0.3
"""Of a time limit, for the training of the supernet."""
PROBE_SHARE = 0.1
"""And at most so much for training probe architectures alone."""
RANKING_SHARE = 0.1
"""And for scoring what random search with shared weights, or the controller of ENAS, draws."""
FEWEST_SAMPLES = 30
"""Of which there are so many at least."""
FEWEST_EPOCHS = 10
"""The controller of ENAS learns less often an epoch where otherwise there were fewer epochs."""
MOST_STEPS = 20_000
"""Where there is time, a supernet trains up to so many steps, or the epochs of the paper if those are more."""
RANKED = 8
"""So many of what a method prefers are trained as trials, where nothing else limits their number."""
EVALUATIONS = 1_000
"""And a supernet is searched with so many evaluations at most, as published (Guo et al. 2020)."""
POPULATION, TOURNAMENT = 50, 10
TABLES = ("params", "macs", "latency_ms")
"""Costs that are sums over operations, about."""
WHOLE, SECONDS = 10, 6.0
"""Where there is no profile of a space, one is made with so many whole networks, which are timed for about so long."""
SAMPLES = 24
"""On so many architectures a table of operations is set against a profile."""


def plan(
    text: str,
    space: SearchSpace,
    train: Train,
    about: Mapping[str, Any],
    left: Callable[[], float] | None,
    epoch_seconds: float,
) -> dict[str, Any]:
    """Decides once what the clock decides: the epochs of the supernet and the number of probes; JSON.

    ``left`` says how many seconds of a time limit are left, asked after the speed was measured; None where there is no
    limit. ``epoch_seconds`` is what an epoch of a usual network takes. SpaceError where the space cannot be shared, the
    method cannot take it, or an option cannot learn the data.
    """
    wrong = fault(made(space, about["seed"]), train.data, train.split.train)
    one_shot = OneShot(
        space, make(text), train.data, split=train.split, recipe=train.recipe, seed=about["seed"],
        device=about["device"], supernet=made(space, about["seed"]),
    )  # fmt: skip
    try:
        with one_thread():
            seconds = one_shot.seconds_a_step()
    except NetwrightError:
        raise
    except Exception as error:
        raise wrong or SpaceError(
            f"{space.name} cannot run as a supernet: {' '.join(str(error).split())[:200]}",
            hint="All candidates of a decision must take and give tensors of the same shapes",
        ) from error
    if wrong is not None:
        raise wrong
    if left is None:
        return {"epochs": one_shot.epochs, "probes": PROBES, "epoch_seconds": epoch_seconds}
    time_left = max(0.0, left())
    planned: dict[str, Any] = {}
    epoch = seconds * one_shot.steps_an_epoch
    if isinstance(one_shot.method, ENAS):
        # Each epoch ends with rewards on a batch each, of about a third of a step.
        update = one_shot.method.aggregate * seconds / 3
        fits = int((SUPERNET_SHARE * time_left / FEWEST_EPOCHS - epoch) / update)
        planned["updates"] = max(1, min(one_shot.method.updates, fits))
        epoch += planned["updates"] * update
    affordable = int(SUPERNET_SHARE * time_left / epoch)
    most = max(one_shot.epochs, -(-MOST_STEPS // one_shot.steps_an_epoch))
    alone = max(1e-3, about["trial_epochs"] * epoch_seconds)
    probes = min(PROBES, int(PROBE_SHARE * time_left * about["n_jobs"] / alone))
    if isinstance(one_shot.method, RandomWeights):
        # What it ranks is scored on ten batches each, of about a third of a step.
        fits = int(RANKING_SHARE * time_left / (10 * seconds / 3))
        planned["samples"] = max(FEWEST_SAMPLES, min(one_shot.method.samples, fits))
    return planned | {
        "epochs": max(1, min(affordable, most)),
        "probes": probes if probes >= FEWEST else 0,
        "epoch_seconds": epoch_seconds,
    }


def values_kept(
    text: str, space: SearchSpace, starts: Sequence[Mapping[str, Any]], train: Train, about: Mapping[str, Any]
) -> dict[str, Answer]:
    """Answers for the decisions that a method which mixes weights cannot learn, such as a dropout rate.

    They are those of ``starts``, networks that are known to be good, the first of them that has one. None where the
    method takes the space as it is, or cannot take it for other reasons (it says so itself).
    """
    if all(decision.kind not in ("choose", "range") or decision.of_training for decision in space.decisions):
        return {}
    one_shot = OneShot(
        space, make(text), train.data, split=train.split, seed=about["seed"], device=about["device"],
        supernet=made(space, about["seed"]),
    )  # fmt: skip
    try:
        _ = one_shot.supernet
    except SpaceError:
        problems = unmixable(made(space, about["seed"]))
        kept = {}
        for decision in space.decisions:
            if decision.name in problems:
                good = next((start[decision.name] for start in starts if decision.name in start), decision.first)
                kept[decision.name] = decision.first if decision.position(good) is None else good
        return kept
    return {}


def check_limits(
    space: SearchSpace,
    train: Train,
    about: Mapping[str, Any],
    latency: Latency | Profile | None,
    left: Callable[[], float] | None,
) -> None:
    """Raises InfeasibleError where nothing is found that keeps the limits on costs that are known without measuring.

    Asked before a supernet is made and timed, and within the seconds that are ``left``.
    """
    static = (*STATIC, *(("latency_ms",) if isinstance(latency, Profile) else ()))
    limits = tuple(limit for limit in make_limits(about["constraints"]) if limit.metric in static)
    if not limits:
        return
    names = tuple(limit.metric for limit in limits)
    with InProcess() as executor:
        Feasibility(space, train.data.input_shape, limits, executor, names, latency).require(about["seed"], left=left)


def space_with(kept: Mapping[str, Answer], space: SearchSpace) -> SearchSpace:
    """The space in which these answers are given; the same object where there are none."""
    return space.fix(kept) if kept else space


_MADE: WeakKeyDictionary[SearchSpace, Supernet] = WeakKeyDictionary()


def made(space: SearchSpace, seed: int) -> Supernet:
    """A supernet as it is before any training; it is made once a space, for that takes seconds where sizes are open."""
    known = _MADE.get(space)
    if known is None or known.seed != seed:
        known = _MADE[space] = Supernet(space.unrestricted, seed=seed)
    return copy.deepcopy(known)


def make_one_shot(
    about: Mapping[str, Any],
    space: SearchSpace,
    train: Train,
    folder: Path,
    left: Callable[[], float] | None = None,
) -> OneShot:
    """The search of a study, as it was planned; its checkpoint lies in the study's folder.

    With costs in the loss skip connections are no alarm: they are cheap, and many may be what a limit asks for.
    """
    hardware = costs_in_loss(about, train, folder, left)
    method = make(about["strategy"])
    if isinstance(method, RandomWeights):
        method.samples = about["one_shot"].get("samples", method.samples)
    if isinstance(method, ENAS):
        method.updates = about["one_shot"].get("updates", method.updates)
    return OneShot(
        space, method, train.data, split=train.split, epochs=about["one_shot"]["epochs"],
        recipe=train.recipe, seed=about["seed"], device=about["device"], folder=folder / FOLDER,
        hardware=hardware, alarm=hardware is None, supernet=made(space, about["seed"]),
    )  # fmt: skip


def _bare(text: str) -> str:
    """The name of a method without its arguments."""
    return text.partition("(")[0].strip()


def costs_in_loss(
    about: Mapping[str, Any], train: Train, folder: Path, left: Callable[[], float] | None = None
) -> Callable[[Supernet], Costs] | None:
    """What the limits and the further objectives of a search put into the loss; None where they ask for nothing.

    A limit is held by a Lagrangian; a cost that is to be small pulls from the middle of what the space has. What the
    loss allows on average is no proof of one network, so that the limits are hard for what is proposed all the same.
    Of a space with open sizes costs are no sums over operations; there they are limits for what is proposed alone.
    """
    limits = {name: value for name, value in about["constraints"].items() if name in TABLES}
    small = [name for name, way in about["objectives"] if name in TABLES and way == "minimize" and name not in limits]
    if not limits and not small:
        return None

    def make_costs(supernet: Supernet) -> Costs:
        if supernet.values:
            return Costs(())
        terms: list[tuple[OperationTable, Penalty]] = []
        for name, value in limits.items():
            table = _table(
                name, supernet, train.data.input_shape, folder / FOLDER, again(about.get("on"), folder), left
            )
            if table.least() > value:
                raise InfeasibleError(
                    f"No architecture of the space has {name} of at most {value:,.6g}; the least has about "
                    f"{table.least():,.6g}",
                    hint="Loosen the limit or widen the space",
                )
            terms.append((table, Lagrangian(value)))
        for name in small:
            table = _table(
                name, supernet, train.data.input_shape, folder / FOLDER, again(about.get("on"), folder), left
            )
            terms.append((table, Added((table.least() + table.most()) / 2)))
        return Costs(terms)

    return make_costs


def _table(
    name: str,
    supernet: Supernet,
    shape: Sequence[int],
    folder: Path,
    latency: Latency | Profile | None,
    left: Callable[[], float] | None,
) -> OperationTable:
    """The table of operations of one cost."""
    if name == "params":
        return OperationTable.parameters(supernet)
    example = torch.zeros(1, *shape)
    if name == "macs":
        return OperationTable.measured(supernet, example, COSTS["macs"])
    return priced(supernet, example, _profile(supernet, shape, folder, latency, left))


def _profile(
    supernet: Supernet,
    shape: Sequence[int],
    folder: Path,
    latency: Latency | Profile | None,
    left: Callable[[], float] | None,
) -> Profile:
    """The profile that is given; else one of this host, made once and kept beside the checkpoint.

    InputError where the time is over before it is made.
    """
    if isinstance(latency, Profile):
        return latency
    file = folder / "profile.json"

    def in_time(*_: object) -> None:
        if left is not None and left() <= 0:
            raise InputError(
                f"the time limit is over before the operations of {supernet.space.name} are timed for latency_ms",
                hint="Give more time, or a profile that was made before: netwright profile SPACE --data DATA --out "
                "FILE, and --on FILE here",
            )

    if not file.exists():
        on = "auto" if latency is None else latency.on
        with one_thread():
            made = profiling.profile(supernet.space, shape, on=on, networks=WHOLE, seconds=SECONDS, said=in_time)
        made.save(file)
    return Profile.load(file)


def priced(supernet: Supernet, example: torch.Tensor, profile: Profile) -> OperationTable:
    """The table of operations of latencies, so that its sums are those of whole networks.

    What an operation costs is what its kernels add to a network. What stands between the operations is in no table,
    and what follows one at once may run together with it. So what the profile says of some whole networks is set
    against their sums, as a + b · sum: b is a factor of each operation, a one more operation that always runs.
    """

    def share(operation: nn.Module, inputs: Example) -> float:
        counts = kernels_of(operation, inputs, profile.batch)
        return max(0.0, sum(number * profile.share(kernel) for kernel, number in counts.items()))

    table = OperationTable.measured(supernet, example, share)
    rng = np.random.default_rng(0)
    drawn = [supernet.space.sample(rng) for _ in range(SAMPLES)]
    whole = [profile(supernet.space, architecture) for architecture in drawn]
    between, factor = line([table.of(architecture) for architecture in drawn], whole)
    operations = tuple(replace(each, cost=each.cost * factor) for each in table.operations)
    return OperationTable(supernet.space, (*operations, Operation("", between, ({},))), table.weights)


def line(sums: Sequence[float], whole: Sequence[float]) -> tuple[float, float]:
    """``a`` from 0 and ``b`` above 0 so that a + b · sum is near to the wholes; one that is far off moves nothing.

    ``b`` is the median of the slopes between any two (Theil and Sen), ``a`` that of what is left. Where that gives no
    such numbers ``a`` is 0 and ``b`` the median of the ratios.
    """
    x, y = np.asarray(sums, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    one, other = np.triu_indices(len(x), 1)
    differ = np.abs(x[one] - x[other]) > 1e-9 * np.abs(x).max()
    if differ.any():
        b = float(np.median((y[one] - y[other])[differ] / (x[one] - x[other])[differ]))
        a = float(np.median(y - b * x))
        if a >= 0 and b > 0:
            return a, b
    return 0.0, float(np.median(y / np.maximum(x, 1e-9)))


def sides(one_shot: OneShot, train: Train, about: Mapping[str, Any]) -> tuple[Strategy, Evaluator]:
    """What the study asks and what it evaluates with.

    A method with numbers of its own ranks, and its best are trained; the supernet of the others is searched by
    evolution.
    """
    if one_shot.method.ranks:
        return Ranked(one_shot, about["max_trials"] or RANKED), train
    return Evolution(POPULATION, TOURNAMENT), shared_weights(one_shot, train, about)


def shared_weights(one_shot: OneShot, train: Train, about: Mapping[str, Any]) -> SharedWeights:
    """The evaluator over the supernet."""
    supernet = one_shot.supernet
    return SharedWeights(
        supernet, train.data, split=train.split, center=one_shot.center, scale=one_shot.scale, train=train,
        epoch_seconds=about["one_shot"]["epoch_seconds"],
    )  # fmt: skip


def train_supernet(
    study: Study,
    one_shot: OneShot,
    train: Train,
    about: Mapping[str, Any],
    *,
    n_jobs: int,
    left: Callable[[], float],
    late: Callable[[], bool],
    watch: Watch | None,
) -> None:
    """Trains the supernet to its end, or until it is ``late``, and examines it; goes on where it was.

    ``left`` says how many seconds there are in all. Raises Interrupted after a signal, with the checkpoint kept.
    """
    with Signals() as signals, one_thread():

        def heard() -> float:
            if signals.count:
                raise study.interrupted(signals, " while looking for what keeps the limits")
            return left()

        study.check_feasible(left=heard)
        if not one_shot.finished:
            # One epoch is the least: without it there is nothing to go by.
            try:
                one_shot.fit(stop=lambda: bool(signals.count) or (bool(one_shot.losses) and late()), watch=watch)
            except FloatingPointError as error:
                raise NetwrightError(
                    str(error), hint=f"Give it with the method: --strategy '{_bare(about['strategy'])}(lr=…)'"
                ) from None
            if not signals.count and not one_shot.finished:
                one_shot.end("the time limit")
        if not signals.count and not study.noted("supernet"):
            study.note(
                "supernet", method=about["strategy"], steps=one_shot.steps, epochs=len(one_shot.losses),
                loss=one_shot.losses[-1] if one_shot.losses else None, stopped=one_shot.stopped,
                seconds=round(one_shot.seconds, 3),
            )  # fmt: skip
        if not signals.count:
            probes = about["one_shot"]["probes"]
            shared = shared_weights(one_shot, train, about)
            examine(study, one_shot, shared, train, probes=probes, n_jobs=n_jobs, signals=signals)
        if not signals.count:
            rank(study, one_shot, about, signals=signals, late=late)
        if signals.count:
            kept = f" while training the supernet: {len(one_shot.losses)} of {one_shot.epochs} epochs kept"
            raise study.interrupted(signals, kept)


def rank(
    study: Study, one_shot: OneShot, about: Mapping[str, Any], *, signals: Signals, late: Callable[[], bool]
) -> None:
    """Scores what a method that samples would propose, journals the order, and has the study's strategy go by it.

    Under a time limit the scoring ends when its share is over, or when it is ``late``; a few are scored in any case.
    What was journaled before is kept. Raises Interrupted after a signal.
    """
    strategy = study.strategy
    if not isinstance(strategy, Ranked) or not isinstance(one_shot.method, ENAS | RandomWeights):
        return
    noted = study.noted("ranking")
    known = [Architecture.from_value(each) for each in noted[-1]["architectures"]] if noted else []
    wanted = max(FEWEST_SAMPLES, strategy.count)
    if not noted or noted[-1]["wanted"] < wanted:
        limit, began = about["time_limit"], monotonic()

        def stop() -> bool:
            if signals.count:
                raise study.interrupted(signals, " while scoring what the supernet may propose")
            return limit is not None and (late() or monotonic() - began > RANKING_SHARE * limit)

        feasibility = study.check_feasible()
        space = study.space
        if feasibility is not None and feasibility.limits:
            space = space.restrict(feasibility, excess=feasibility.excess)
        known += [each for each in one_shot.ranked(wanted, space, stop=stop) if each not in known]
        study.note("ranking", wanted=wanted, architectures=[dict(each) for each in known])
    strategy.prepare(known)


class one_thread:
    """Torch on one thread: two processes that take all cores stand in each other's way."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self._before)
