"""Rows 33, 34, 38 and 40: studies in which everything fails, spaces that are none, arguments that are wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults import drivers, toy
from tests.faults.crashes import random_kills
from tests.faults.drivers import Plan, run
from tests.faults.records import Record, folder, record
from torch import nn

from netwright.cli.app import run as command_line
from netwright.space import SearchSpace, choose, one_of, repeat
from netwright.study import Study

SECONDS = 30.0


def everything_fails() -> list[Record]:
    """The study stops after ten failures in a row and says what failed how often."""
    records = []
    with folder() as place:
        for variant in ("failing", "nearly failing"):
            outcome = run(Plan(place / variant.replace(" ", "-"), variant, trials=1000))
            found = []
            if outcome.code != 8:
                found.append(f"I9: ended with code {outcome.code}: {outcome.text[-300:]}")
            elif "× exception: ValueError" not in outcome.text or "10 trials in a row failed" not in outcome.text:
                found.append(f"I6: the causes are not named: {outcome.text[-300:]}")
            if "Traceback" in outcome.text:
                found.append("I6: a traceback was printed")
            figure = f"{len(outcome.acknowledged)} trials"
            records.append(record("33", f"{variant} candidates", 1, found, figure))
    return records


def killed_while_writing(kills: int = 12) -> Record:
    """Weights of 4 MB are written most of the time, so that most kills come then; what has its own name is whole."""
    return random_kills(kills, seed=34, trials=30, variant="heavy", row="34")


class NoDecision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)


class OnePoint(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.only = choose("only", 1)


class NoOption(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.none = choose("none")


class NanBounds(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.rate = choose("rate", low=float("nan"), high=1.0)


class Reversed(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.rate = choose("rate", low=2, high=1)


class ReversedDepth(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.body = repeat("depth", lambda i: nn.Identity(), 3, 1)


class TwoMeanings(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.pair = choose("width", 1, 2), choose("width", 3, 4)


class Recursion(NoDecision):
    def __init__(self) -> None:
        super().__init__()

        def deeper(level: int) -> nn.Module:
            return one_of(f"level{level}", stop=nn.Identity, more=lambda: deeper(level + 1))

        self.body = deeper(0)


class Huge(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.choices = [choose(f"digit{index}", *range(10)) for index in range(9)], choose("whole", low=0, high=10**9)


class LongName(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        self.width = choose("x" * 2**20, 1, 2)


class Raises(NoDecision):
    def __init__(self) -> None:
        super().__init__()
        raise ValueError("this network has a fault of its own")


@dataclass(frozen=True)
class Case:
    """A space, the codes that its search may end with, and a word that the error must hold."""

    make: Callable[[], SearchSpace]
    codes: tuple[int, ...]
    word: str = ""
    constraints: tuple[tuple[str, float], ...] = ()


SPACES: dict[str, Case] = {
    "without a decision": Case(lambda: SearchSpace(NoDecision), (0, 2)),
    "of one point": Case(lambda: SearchSpace(OnePoint), (0,)),
    "a choice of nothing": Case(lambda: SearchSpace(NoOption), (2,), "none"),
    "bounds that are NaN": Case(lambda: SearchSpace(NanBounds), (2,), "rate"),
    "low above high": Case(lambda: SearchSpace(Reversed), (2,), "rate"),
    "repeat low above high": Case(lambda: SearchSpace(ReversedDepth), (2,), "depth"),
    "one name, two meanings": Case(lambda: SearchSpace(TwoMeanings), (2,), "width"),
    "recursion": Case(lambda: SearchSpace(Recursion), (2,)),
    "10^18 architectures": Case(lambda: SearchSpace(Huge), (0,)),
    "a name of 1 MB": Case(lambda: SearchSpace(LongName), (0, 2)),
    "a constructor that raises": Case(lambda: SearchSpace(Raises), (2,), "fault of its own"),
    "a rule that refuses all": Case(lambda: SearchSpace(OnePoint, where=lambda architecture: False), (2, 3)),
    "a limit that nothing meets": Case(toy.space, (3,), "params", (("params", 1.0),)),
}


def spaces() -> list[Record]:
    """Each ends within half a minute, works or says in a line what is wrong."""
    records = []
    with folder() as place:
        for name, case in SPACES.items():
            outcome = run(Plan(place / "driver", before=_searching(case, place / name.replace(" ", "-"))))
            found = _judged(outcome, case.codes, case.word)
            records.append(record("38", f"space: {name}", 1, found, f"code {outcome.code}, {outcome.seconds:.1f} s"))
    return records


def _searching(case: Case, store: Path) -> Callable[[], None]:
    def before() -> None:
        evaluator = toy.Shape(toy.Hashing()) if case.constraints else _always_one
        study = Study(
            case.make(),
            "random",
            evaluator,
            maximize=toy.METRIC,
            store=store,
            executor="in_process",
            constraints=dict(case.constraints),
        )
        study.run(max_trials=5)
        raise SystemExit(0)

    return before


def _always_one(candidate: object) -> float:
    return 1.0


ARGUMENTS: dict[str, tuple[list[str], str]] = {
    "no such option": (["search", "iris", "--max-trails", "3"], "max-trials"),
    "a word for a number": (["search", "iris", "--max-trials", "many"], "--max-trials"),
    "a negative budget": (["search", "iris", "--max-trials", "-5"], "--max-trials"),
    "a budget of NaN": (["search", "iris", "--time-limit", "nan"], "nan"),
    "a negative time": (["search", "iris", "--time-limit", "-3s"], "-3s"),
    "no time": (["search", "iris", "--time-limit", "0"], "0"),
    "no jobs": (["search", "iris", "--jobs", "0"], "--jobs"),
    "a constraint without a value": (["search", "iris", "--constraint", "params"], "params"),
    "a constraint of NaN": (["search", "iris", "--constraint", "params=nan"], "nan"),
    "a constraint on nothing known": (["search", "iris", "--constraint", "parms=5"], "parms"),
    "a strategy with a slip": (["search", "iris", "--strategy", "evolutoin"], "evolution"),
    "a metric with a slip": (["search", "iris", "--metric", "acuracy"], "accuracy"),
    "no such space": (["search", "iris", "--space", "nowhere.py:Net"], "nowhere.py"),
    "no such data": (["search", "nowhere.csv"], "nowhere.csv"),
    "two wishes at odds": (["search", "iris", "--maximize", "params", "--minimize", "params"], "params"),
    "no such verb": (["serach", "iris"], "serach"),
    "no study to resume": (["resume", "nowhere"], "nowhere"),
}


def arguments() -> list[Record]:
    """Each ends with code 2 before any work, in one line of at most 200 characters."""
    records = []
    with folder() as place:
        for name, (words, word) in ARGUMENTS.items():
            empty = place / name.replace(" ", "-")
            empty.mkdir()
            outcome = run(Plan(place / "driver", before=_commanding(words, empty)))
            found = _judged(outcome, (2,), word, 200)
            # The folder of all runs may be there; nothing in it.
            made = [path.name for path in empty.rglob("*") if path != empty / "runs"]
            found += [f"{name} was made before the arguments were checked" for name in made]
            records.append(record("40", f"command line: {name}", 1, found))
    return records


def _commanding(words: list[str], place: Path) -> Callable[[], None]:
    def before() -> None:
        os.chdir(place)
        raise SystemExit(command_line(words))

    return before


def _judged(outcome: drivers.Outcome, codes: tuple[int, ...], word: str, width: int = 400) -> list[str]:
    """The command line cuts an error to 200 characters; the library leaves long paths whole."""
    text = outcome.text.strip()
    found = []
    if outcome.code not in codes:
        found.append(f"I6: ended with code {outcome.code}, expected {' or '.join(map(str, codes))}: {text[-300:]}")
    elif outcome.code and word not in text:
        found.append(f"I6: the error does not name '{word}': {text[-300:]}")
    if "Traceback" in text:
        found.append(f"I6: a traceback was printed: {text[-200:]}")
    longest = max(len(line) for line in text.split("\n"))
    if longest > width:
        found.append(f"I6: a line of {longest} characters: {text[:200]}")
    if outcome.seconds > SECONDS:
        found.append(f"I9: it took {outcome.seconds:.0f} s")
    return found
