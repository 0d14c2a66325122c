"""What a one-shot method cannot be made with is refused before anything is trained."""

from __future__ import annotations

import math

import pytest
from tests.strategies.oneshot.learning import begun, labelled, took
from torch import nn

import netwright as nw
from netwright.errors import InputError, SpaceError
from netwright.strategies.making import defaults
from netwright.strategies.oneshot import DARTS, ENAS, METHODS, FairNAS, make

ABOVE, LEAST = "a number above 0", "a number of at least 0"
BELOW_ONE, CLIP = "a number from 0 to below 1", "a number above 0, or none"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("darts(lr=-1)", f"DARTS: lr is {ABOVE}, found -1"),
        ("darts(lr=nan)", f"DARTS: lr is {ABOVE}, found 'nan'"),
        ("darts(alpha_lr=-1)", f"DARTS: alpha_lr is {ABOVE}, found -1"),
        ("darts(weight_decay=-1)", f"DARTS: weight_decay is {LEAST}, found -1"),
        ("darts(alpha_weight_decay=-1)", f"DARTS: alpha_weight_decay is {LEAST}, found -1"),
        ("darts(momentum=2)", f"DARTS: momentum is {BELOW_ONE}, found 2"),
        ("darts(clip=0)", f"DARTS: clip is {CLIP}, found 0"),
        ("darts(order=true)", "DARTS: order is 1 or 2, found True"),
        ("darts(order=1.0)", "DARTS: order is 1 or 2, found 1.0"),
        ("darts2(lr=0)", f"DARTS: lr is {ABOVE}, found 0"),
        ("drnas(alpha_lr=0)", f"DrNAS: alpha_lr is {ABOVE}, found 0"),
        ("drnas(anchor=-1)", f"DrNAS: anchor is {LEAST}, found -1"),
        ("drnas(anchor=nan)", f"DrNAS: anchor is {LEAST}, found 'nan'"),
        ("enas(lr=0)", f"ENAS: lr is {ABOVE}, found 0"),
        ("enas(min_lr=-1)", f"ENAS: min_lr is {LEAST}, found -1"),
        ("enas(momentum=1)", f"ENAS: momentum is {BELOW_ONE}, found 1"),
        ("enas(decay=1)", f"ENAS: decay is {BELOW_ONE}, found 1"),
        ("enas(clip=true)", f"ENAS: clip is {CLIP}, found True"),
        ("fairnas(lr=-1)", f"FairNAS: lr is {ABOVE}, found -1"),
        ("gdas(start=-1)", f"GDAS: start is {ABOVE}, found -1"),
        ("gdas(start=0)", f"GDAS: start is {ABOVE}, found 0"),
        ("gdas(end=0)", f"GDAS: end is {ABOVE}, found 0"),
        ("ofa(lr=-1)", f"OFA: lr is {ABOVE}, found -1"),
        ("ofa(rates=(0.1, 0, 0.1))", f"OFA: rates[1] is {ABOVE}, found 0"),
        ("ofa(rates=0.1)", "OFA: rates is a list, found 0.1"),
        ("ofa(paths=2)", "OFA: paths is a list, found 2"),
        ("ofa(distillation=-1)", f"OFA: distillation is {LEAST}, found -1"),
        ("ofa(weight_decay=-1)", f"OFA: weight_decay is {LEAST}, found -1"),
        ("ofa(stages=(kernel, depth, width))", "OFA: stages[0] is a list, found 'kernel'"),
        ("ofa(stages=((kernel,), (1,), (width,)))", "OFA: stages[1] has parts of names of decisions, found (1,)"),
        ("pcdarts(rest=1)", f"PCDARTS: rest is {BELOW_ONE}, found 1"),
        ("pcdarts(min_lr=-1)", f"PCDARTS: min_lr is {LEAST}, found -1"),
        ("proxyless(warm_up=1)", f"Proxyless: warm_up is {BELOW_ONE}, found 1"),
        ("proxyless(every=0)", "Proxyless: every is a whole number of at least 1, found 0"),
        ("random-weights(clip=-1)", f"RandomWeights: clip is {CLIP}, found -1"),
        ("sandwich(lr=-1)", f'OFA("sandwich"): lr is {ABOVE}, found -1'),
        ("sandwich(momentum=1)", f'OFA("sandwich"): momentum is {BELOW_ONE}, found 1'),
        ("snas(start=0)", f"SNAS: start is {ABOVE}, found 0"),
        ("snas(end=-1)", f"SNAS: end is {ABOVE}, found -1"),
        ("spos(lr=true)", f"SPOS: lr is {ABOVE}, found True"),
        ("spos(lr=abc)", f"SPOS: lr is {ABOVE}, found 'abc'"),
        ("spos(momentum=-1)", f"SPOS: momentum is {BELOW_ONE}, found -1"),
    ],
)
def test_nonsense_is_refused(text, sentence):
    """The message says whose argument it is and which, what is expected and what was found."""
    with pytest.raises(InputError) as refused:
        make(text)
    assert sentence == str(refused.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_at_a_finite_rate(name, value):
    """NaN and infinity are numbers to Python, and train nothing."""
    with pytest.raises(InputError, match=rf": lr is a number above 0, found {value}"):
        METHODS[name](lr=value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", METHODS)
def test_every_number_is_finite(name, value):
    """Whatever has a number as its default takes neither NaN nor infinity."""
    for argument, default in defaults(name, METHODS).items():
        if isinstance(default, float):
            with pytest.raises(InputError, match=f": {argument} is"):
                METHODS[name](**{argument: value})


@pytest.mark.parametrize(
    "text", ["darts(clip=none)", "pcdarts(clip=none)", "enas(clip=none)", "random-weights(clip=none)"]
)
def test_gradients_may_stay_uncut(text):
    """A clip of none is none."""
    assert make(text).clip is None


def test_the_ends_that_mean_something_are_allowed():
    """Zeros where nothing is decayed, anchored, taught or waited for, and a baseline that is the mean of a step."""
    make("darts(min_lr=0, momentum=0, weight_decay=0)")
    make("drnas(anchor=0)")
    make("ofa(distillation=0, momentum=0)")
    make("pcdarts(rest=0)")
    make("proxyless(warm_up=0, decay=1)")


@pytest.mark.parametrize("method", [DARTS(clip=None), ENAS(momentum=0, hidden=4, updates=1)])
def test_what_is_allowed_can_be_trained(method):
    """Uncut gradients, and no momentum where there is Nesterov's otherwise."""
    supernet = begun(method)
    took(method, supernet, range(2), labelled(4))


def test_fairness_refuses_a_range():
    """A continuous decision has no number of candidates."""

    class Dropped(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(nw.choose("rate", low=0.0, high=0.5))
            self.last = nn.Linear(3, 3)

        def forward(self, x):
            return self.last(self.drop(x))

    with pytest.raises(SpaceError, match="as many candidates: 'rate' is not"):
        begun(FairNAS(), Dropped)


@pytest.mark.parametrize("name", METHODS)
def test_each_says_in_a_line_what_it_is(name):
    """The line that the command line shows: in plain text, the name of the method first."""
    line = METHODS[name].__doc__.splitlines()[0]
    assert "`" not in line
    assert line.replace("-", "").lower().startswith(("the sandwich rule", "random search", name[:4]))
