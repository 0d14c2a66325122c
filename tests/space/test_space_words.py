"""What is declared wrongly, and what the words mean."""

from __future__ import annotations

import enum
import subprocess
import sys

import numpy as np
import pytest
import torch
from space_networks import Net, demo, words_only
from torch import nn

import netwright as nw
from netwright.errors import ArchitectureError, SpaceError
from netwright.space import arguments_for
from netwright.space.uninitialised import Uninitialised


def declared(declare, **rules):
    return nw.SearchSpace(words_only(declare), **rules)


WRONG = [
    (lambda: nw.choose("w"), "'w' has no options"),
    (lambda: nw.choose("w", 1, 2, 1), "'w' has the option 1 twice"),
    (lambda: nw.choose("w", nn.ReLU, nn.GELU), r"'w': .* found the class ReLU. Layers .* one_of\('w'"),
    (lambda: nw.choose("w", nn.ReLU()), "found a ReLU. Layers"),
    (lambda: nw.choose("w", [3, 3]), r"is a list. Write it as a tuple: \(3, 3\)"),
    (lambda: nw.choose("w", float("nan")), "the option nan is not a finite number"),
    (lambda: nw.choose("w", "\ud800"), "lone surrogate"),
    (lambda: nw.choose("w", *range(100_001)), r"100,001 options.*Use a range: choose\('w', low=…, high=…\)"),
    (lambda: nw.choose("w", 1, low=1, high=2), "options and a range"),
    (lambda: nw.choose("w", 1, 2, log=True), "options and a range"),
    (lambda: nw.choose("w", log=True), "log and step belong to a range"),
    (lambda: nw.choose("w", low=1), "has no high"),
    (lambda: nw.choose("w", high=1), "has no low"),
    (lambda: nw.choose("w", low=2, high=1), "low=2 is above high=1. Exchange them"),
    (lambda: nw.choose("w", low=float("nan"), high=1.0), "low is a finite number, found nan"),
    (lambda: nw.choose("w", low=0.0, high=float("inf")), "high is a finite number, found inf"),
    (lambda: nw.choose("w", low="1", high=2), "low is a number, found '1'"),
    (lambda: nw.choose("w", low=False, high=True), "low is a number, found False"),
    (lambda: nw.choose("w", low=0, high=2, log=True), "starts above 0, found low=0"),
    (lambda: nw.choose("w", low=0, high=2, step=0), "a step is positive, found step=0"),
    (lambda: nw.choose("w", low=0, high=2, step=-0.5), "a step is positive, found step=-0.5"),
    (lambda: nw.choose("w", low=0, high=10**30), "more than 9,007,199,254,740,992 steps"),
    (lambda: nw.choose("w", low=-1.7e308, high=1.7e308), "too wide for a float"),
    (lambda: nw.choose("", 1), "the name of a decision is a non-empty string, found ''"),
    (lambda: nw.choose(3, 1), "the name of a decision is a non-empty string, found 3"),
    (lambda: nw.choose("w" * 1_000_000, 1), "at most 200 characters, 'w{40}…' has 1,000,000"),
    (lambda: nw.choose("a\nb", 1), r"only printable characters, found 'a\\nb'"),
    (lambda: nw.one_of("op"), "'op' has no candidates"),
    (
        lambda: nw.one_of("op", a=nn.ReLU()),
        "candidate 'a' of decision 'op' is a module that is already made.*lambda: ReLU",
    ),
    (lambda: nw.one_of("op", a=3), "candidate 'a' of decision 'op' is a function.*found int"),
    (lambda: nw.one_of("op", a=lambda: 3), "candidate 'a' of decision 'op' .* it made 3"),
    (lambda: nw.repeat("n", lambda i: nn.ReLU(), 3, 2), "low=3 is above high=2"),
    (lambda: nw.repeat("n", lambda i: nn.ReLU(), -1, 2), "0 times or more, found low=-1"),
    (lambda: nw.repeat("n", lambda i: nn.ReLU(), 1, 10**6), "at most 1,000 times, found high=1,000,000"),
    (lambda: nw.repeat("n", lambda i: nn.ReLU(), 1.5, 2), "low is a whole number, found 1.5"),
    (lambda: nw.repeat("n", nn.ReLU(), 1, 2), "repeats a function from a block's index"),
    (lambda: nw.repeat("n", lambda i: None, 1, 2), "block 0 of decision 'n' .* it made None"),
    (lambda: nw.inputs("in", 2, pick=3), "pick is 1 to count=2, found pick=3"),
    (lambda: nw.inputs("in", 2, combine="add"), "combine is 'sum'.*found 'add'"),
    (lambda: nw.inputs("in", 100, pick=10), "17,310,309,456,440 ways to pick"),
    (lambda: nn.ReLU(), "has no open decision"),
]


@pytest.mark.parametrize(("declare", "message"), WRONG)
def test_what_is_declared_wrongly_is_refused(declare, message):
    """Each mistake has its sentence, with the decision's name and the fix."""
    with pytest.raises(SpaceError, match=message):
        declared(declare)


def test_words_outside_a_space_say_where_they_belong():
    """Calling the network itself is the commonest mistake."""
    with pytest.raises(SpaceError, match=r"choose\('width'\) at .*space_networks.py:\d+ .* nw.SearchSpace\(Net"):
        Net((1, 8, 8), 10)


def test_the_same_name_is_the_same_decision():
    """Two cells that use one name share one answer, and are unconditional where any of them is."""

    def declare():
        nw.one_of("op", a=words_only(lambda: nw.choose("k", 3, 5)), b=nn.Identity)
        nw.choose("k", 3, 5)

    space = declared(declare)
    assert [("op", False), ("k", False)] == [(d.name, d.conditional) for d in space.decisions]
    assert space.size == 4


@pytest.mark.parametrize(
    "other", [lambda: nw.choose("k", 3, 7), lambda: nw.choose("k", 3.0, 5.0), lambda: nw.choose("k", low=3, high=5)]
)
def test_the_same_name_with_another_question_names_both_places(other):
    """Both lines of the user's code are in the message."""
    with pytest.raises(
        SpaceError, match=r"'k' is declared twice.*test_space_words.py:\d+, and .*test_space_words.py:\d+"
    ):
        declared(lambda: (nw.choose("k", 3, 5), other()))


def test_a_decision_in_every_candidate_is_always_asked():
    """Paths that differ in one answer are one path; together they are no condition."""

    def declare():
        inner = words_only(lambda: nw.choose("k", 3, 5))
        nw.one_of("op", a=inner, b=inner)

    assert [False, False] == [decision.conditional for decision in declared(declare).decisions]


def test_conditions_are_paths_of_answers():
    """A nested decision holds its whole chain."""

    def declare():
        inner = words_only(lambda: nw.choose("k", 3, 5))
        nw.repeat("n", lambda i: nw.one_of(f"op{i}", a=inner, b=nn.Identity, c=nn.Identity), 0, 2)

    decisions = {decision.name: decision for decision in declared(declare).decisions}
    assert ((("n", (1, 2)),),) == decisions["op0"].conditions
    expected = ((("n", (1, 2)), ("op0", ("a",))), (("n", (2,)), ("op1", ("a",))))
    assert expected == decisions["k"].conditions


def test_a_circle_is_refused():
    """Under r=x, a asks b; under r=y, b asks a."""

    def declare():
        def a(inside):
            return words_only(lambda: nw.one_of("a", p=words_only(inside), q=nn.Identity))

        def b(inside):
            return words_only(lambda: nw.one_of("b", p=words_only(inside), q=nn.Identity))

        nothing = nn.Identity
        nw.one_of("r", x=a(lambda: b(nothing)()), y=b(lambda: a(nothing)()))

    with pytest.raises(SpaceError, match="'a', 'b' depend on each other in a circle"):
        declared(declare)


def test_a_block_that_contains_itself_is_refused():
    """Recursion ends, with a sentence, whether the names are shared or new."""

    def same():
        return nw.one_of("op", again=same, stop=nn.Identity)

    def new(depth=0):
        return nw.one_of(f"op{depth}", again=lambda: new(depth + 1), too=lambda: new(depth + 1))

    for declare in (same, new):
        with pytest.raises(SpaceError, match=r"nested more than 64 deep.*contains itself"):
            declared(declare)


def test_an_outline_without_end_is_refused():
    """Twenty levels of two candidates are a million contexts; a hundred thousand meetings are the end too."""

    def tree(depth):
        if depth == 0:
            return nn.Identity()
        return nw.one_of(f"o{depth}", a=lambda: tree(depth - 1), b=lambda: tree(depth - 1))

    with pytest.raises(SpaceError, match="'o1' is met in more than 500 different contexts"):
        declared(lambda: tree(20))
    with pytest.raises(SpaceError, match="more than 100,000 decisions and blocks"):
        declared(lambda: [nw.choose("c", 1, 2) for _ in range(100_001)])


def test_scopes_prefix_names():
    """They nest, and end with their block."""

    def declare():
        with nw.scope("cell"):
            nw.choose("w", 1, 2)
            with nw.scope("inner"):
                nw.choose("w", 1, 2)
        nw.choose("w", 1, 2)

    assert ["cell.w", "cell.inner.w", "w"] == [decision.name for decision in declared(declare).decisions]


def test_options_become_plain_values():
    """NumPy's numbers and enumerations of strings are taken for what they hold."""

    class Kind(enum.StrEnum):
        A = "a"

    space = declared(lambda: nw.choose("w", np.int64(3), np.float64(0.5), Kind.A, (1, (None, True))))
    expected = (3, 0.5, "a", (1, (None, True)))
    assert expected == space.decisions[0].options
    assert [int, float, str, tuple] == [type(option) for option in space.decisions[0].options]


def test_ranges_of_integers_floats_and_steps():
    """Integers by ones, floats by decimal steps without dust, the high end only where a step reaches it."""

    def declare():
        nw.choose("a", low=1, high=4)
        nw.choose("b", low=0.0, high=0.5, step=0.1)
        nw.choose("c", low=0, high=10, step=3)
        nw.choose("d", low=0, high=1, step=0.25)
        nw.choose("e", low=0, high=1.0)
        nw.choose("f", low=1, high=10**9)

    options = [decision.options for decision in declared(declare).decisions]
    expected = [(1, 2, 3, 4), (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), (0, 3, 6, 9), (0.0, 0.25, 0.5, 0.75, 1.0), None, None]
    assert expected == options


def test_a_large_range_of_integers_is_checked_without_a_list():
    """A thousand million values: members and strangers are told apart."""
    space = declared(lambda: nw.choose("f", low=2, high=10**9, step=2))
    assert space.size == 5 * 10**8
    for value, inside in ((2, True), (999_999_998, True), (3, False), (2.0, False), (10**9 + 2, False)):
        assert inside == ({"f": value} in space)


def test_an_error_of_the_constructor_names_the_path():
    """The user's own error is the cause, and the path being outlined is in the message."""

    def broken():
        raise ValueError("kernel too large")

    def declare():
        nw.repeat("depth", lambda i: nw.one_of(f"op{i}", a=nn.Identity, b=broken if i == 2 else nn.Identity), 1, 4)

    with pytest.raises(SpaceError, match=r"raised ValueError .* at depth>2, op2=b: kernel too large") as caught:
        declared(declare)
    assert isinstance(caught.value.__cause__, ValueError)


class DropPath(nn.Module):
    """A schedule read from a tensor, as published networks write it."""

    def __init__(self, blocks):
        super().__init__()
        rates = [rate.item() for rate in torch.linspace(0, 0.5, blocks)]
        self.body = nw.repeat("depth", lambda i: nn.Sequential(nn.Linear(4, 4), nn.Dropout(rates[i])), 1, blocks)

    def forward(self, x):
        return self.body(x)


def test_a_constructor_that_reads_a_tensor_is_outlined_on_the_cpu():
    """The space notes it, and is whole."""
    space = nw.SearchSpace(DropPath, blocks=5)
    assert space.size == 5
    assert (
        "the constructor of DropPath reads a tensor's value, so it was outlined on the CPU without initialisation",
    ) == (space.notes)
    assert 0.5 == space.build({"depth": 5}).body[4][1].p
    assert () == demo().notes


def test_an_outline_draws_no_random_numbers():
    """Declaring a space leaves torch's generator as it was, on either way."""
    before = torch.get_rng_state()
    demo()
    nw.SearchSpace(DropPath, blocks=3)
    assert torch.equal(before, torch.get_rng_state())


def test_nothing_is_initialised_on_the_cpu():
    """Fills and initialisers leave their tensors alone: not one random number is drawn."""
    before = torch.get_rng_state()
    with Uninitialised():
        for make in (lambda: nn.Conv2d(3, 8, 3), lambda: nn.LSTM(4, 4), lambda: nn.Embedding(5, 4)):
            make()
        weight = torch.full((3, 3), 7.0)
        nn.init.xavier_normal_(weight)
        nn.init.trunc_normal_(tensor=weight)
        weight.uniform_()
    assert torch.equal(before, torch.get_rng_state())


def test_arguments_are_checked_before_anything_runs():
    """Missing and unknown ones are named together, with the nearest known."""
    with pytest.raises(
        SpaceError, match=r"requires the argument 'classes', and does not know the argument 'clases' \(did"
    ):
        nw.SearchSpace(Net, input_shape=(1, 8, 8), clases=10)
    with pytest.raises(SpaceError, match="found 3"):
        nw.SearchSpace(3)
    with pytest.raises(SpaceError, match=r"made 3, a network is an nn\.Module"):
        nw.SearchSpace(lambda: nw.choose("w", 3, 4))


def test_arguments_for_picks_what_the_signature_names():
    """Optional ones that are available are given, others left out; a required one that is missing is named."""

    class Other(nn.Module):
        def __init__(self, input_shape, dropout=0.1, *, outputs=1, **more):
            super().__init__()

    assert {"input_shape": (1,), "outputs": 3} == arguments_for(Other, input_shape=(1,), outputs=3, classes=3)
    with pytest.raises(SpaceError, match=r"requires the argument 'input_shape', .* \(known: classes\)"):
        arguments_for(Other, classes=3)


def test_importing_the_space_does_not_import_torch():
    """Strategies import it, and the command line imports them."""
    code = "import sys, netwright.space as s; s.SearchSpace, s.choose, s.Decision; sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_a_rule_that_raises_is_named():
    """The usual reason, a conditional decision that is missing, is hinted at."""
    with pytest.raises(SpaceError, match=r"the rule of `where` raised KeyError: 'op5' .*architecture.get\(name\)"):
        demo(where=lambda a: a["op5"] != "skip").sample(np.random.default_rng(0))
    with pytest.raises(SpaceError, match="the key of `same` raised TypeError: unhashable"):
        next(demo(same=lambda a: []).enumerate())


def validation(answers, space=None):
    with pytest.raises(ArchitectureError) as caught:
        (space or demo()).validate(answers)
    return str(caught.value)


SHALLOW = {"width": 16, "depth": 2, "op0": "skip", "op1": "skip"}


def test_a_missing_answer_says_what_asks_for_it():
    """With runs of names shortened and the ways out."""
    assert validation({**SHALLOW, "depth": 4, "op2": "skip"}) == (
        "Architecture has no answer for decision 'op3' (it answers width, depth, op0-op2). depth=4 asks for it. "
        "Use space.sample(rng) or space.complete(architecture, rng)."
    )


def test_several_missing_answers_are_said_at_once():
    """Grouped by what asks for them."""
    assert validation({"width": 16, "depth": 3}) == (
        "Architecture has no answer for decisions op0-op2 (it answers width, depth). "
        "Every architecture answers op0, op1. depth=3 asks for op2. "
        "Use space.sample(rng) or space.complete(architecture, rng)."
    )


def test_all_problems_are_collected():
    """A wrong value, an unknown name and an answer too many, in one message."""
    text = validation({**SHALLOW, "width": 17, "dpth": 3, "op5": "skip"})
    assert "Decision 'width' has no value 17; its values: 16, 32, 64." in text
    assert "The space has no decision 'dpth' (did you mean 'depth'?)." in text
    assert "Decision 'op5' is answered ('skip') but not asked: that needs depth>5. Leave it out." in text


def test_values_are_compared_by_type():
    """1, 1.0, True and "1" are four answers; a float option alone takes an equal integer: JSON writers shorten it."""
    space = declared(lambda: (nw.choose("i", 1, 2), nw.choose("f", 1.0, 2.0)))
    checked = space.validate({"i": 1, "f": 2})
    assert (1, 2.0, float) == (checked["i"], checked["f"], type(checked["f"]))
    for wrong in (1.0, True, "1", None, [1]):
        assert {"i": wrong, "f": 1.0} not in space
    assert "has no value 1.0" in validation({"i": 1.0, "f": 1.0}, space)


def test_many_options_are_shortened():
    """Beyond ten, the rest is counted."""
    space = declared(lambda: nw.choose("w", *range(50)))
    assert "its values: 0, 1, 2, 3, 4, 5, 6, 7, 8, … (50 in all)." in validation({"w": 99}, space)


def test_answers_out_of_order_are_put_in_order():
    """The decisions' order is the architecture's."""
    checked = demo().validate(dict(reversed(SHALLOW.items())))
    assert list(SHALLOW) == list(checked)


def test_rules_are_part_of_membership():
    """`where` and limits refuse, by name."""
    with pytest.raises(ArchitectureError, match="the rule `where` of the space refuses the architecture width=16"):
        demo(where=lambda a: a["width"] > 16).validate(SHALLOW)
    with pytest.raises(ArchitectureError, match="a limit of the space refuses"):
        demo().restrict(lambda a: a["width"] > 16).validate(SHALLOW)
    assert SHALLOW in demo()
    assert 3 not in demo()


def test_what_is_no_mapping_is_refused():
    """By its type."""
    assert "an architecture is a mapping from decisions to answers, found list" in validation([1])


def test_fix_leaves_one_option_and_drops_what_is_never_asked():
    """Fixed decisions stay in the architectures; conditions on them are resolved."""
    space = demo().fix({"width": 32}, depth=3)
    assert space.size == 27
    assert ["width", "depth", "op0", "op1", "op2"] == [decision.name for decision in space.decisions]
    assert not any(decision.conditional for decision in space.decisions)
    assert {(32, 3)} == {(a["width"], a["depth"]) for a in space.enumerate()}
    assert "depth=2" not in str(space)


def test_fix_refuses_values_names_and_contradictions():
    """As validation does."""
    with pytest.raises(ArchitectureError, match="'width' has no value 3"):
        demo().fix(width=3)
    with pytest.raises(ArchitectureError, match="did you mean 'width'"):
        demo().fix(widht=16)
    with pytest.raises(ArchitectureError, match=r"'op5' cannot be fixed.*never asked \(depth>5\)"):
        demo().fix(op5="skip", depth=2)
    assert "'op5' is never asked in this space" in validation({**SHALLOW, "op5": "skip"}, demo().fix(depth=2))


def test_the_signature_is_of_the_decisions():
    """Equal declarations have equal signatures; another option, condition or fixed value has another."""
    assert demo().signature == demo(where=lambda a: True).signature
    others = {demo().signature, demo().fix(width=16).signature, demo().fix(depth=3).signature}
    assert 3 == len(others)


def test_the_space_draws_itself_as_a_tree():
    """Decisions stand under the answer that asks for them."""
    lines = str(demo()).splitlines()
    assert "Net: 3,267 architectures" == lines[0]
    assert "├─ depth  2 to 6 times" in lines
    assert "│  └─ depth>5: op5  conv3, conv5, skip" in lines


def test_describe_gives_rows_of_json_values():
    """One a decision."""
    row = demo().describe()[-1]
    expected = {"name": "op5", "kind": "one_of", "options": ["conv3", "conv5", "skip"], "count": 3, "asked": "depth>5"}
    assert expected == {key: row[key] for key in expected}
