"""OneShot: the loop around a method, its checkpoints, and what it refuses."""

from __future__ import annotations

from typing import final

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.errors import InputError, SpaceError, StoreError
from netwright.strategies.oneshot import DARTS, GDAS, METHODS, SPOS, OneShot, Ranked, checkpoints, make
from netwright.strategies.oneshot.method import Method
from netwright.training.data import Data
from netwright.training.recipes import Recipe
from netwright.training.weights import save_weights
from netwright.trial import Objective


class Toy(nn.Module):
    """Two decisions of three options each, between a first and a last layer."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 3)
        self.a, self.b = self.operation("a"), self.operation("b")

    @staticmethod
    def operation(name):
        return nw.one_of(name, **{key: lambda: nn.Linear(4, 4) for key in "pqr"})

    def forward(self, x):
        return self.last(self.b(torch.tanh(self.a(self.first(x)))))


class Elastic(nn.Module):
    """Two hidden layers of open width, as many of them as is asked for."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 4, 8, 16)
        self.first = nn.Linear(3, width)
        self.body = nw.repeat("depth", lambda _: nn.Sequential(nn.ReLU(), nn.Linear(width, width)), 0, 2)
        self.last = nn.Linear(width, 3)

    def forward(self, x):
        return self.last(self.body(self.first(x)))


def space(method="darts"):
    shrinks = isinstance(method, str) and method.startswith(("ofa", "sandwich"))
    return nw.SearchSpace(Elastic if shrinks else Toy)


def data(count=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 3)).astype(np.float32)
    return Data(X, (X @ [1.0, -2.0, 0.5] > 0).astype(np.int64), ("no", "yes", "never"))


def search(method="darts", **options):
    return OneShot(space(method), method, data(), **{"epochs": 4, **options})


def weights(one_shot):
    return torch.cat([tensor.flatten().float() for tensor in one_shot.supernet.network.state_dict().values()])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_goes_from_data_to_an_end(name):
    """Trains by its name, loses less in the end than at first, and ranks where it ranks."""
    one_shot = search(name, epochs=40, optimizer=lambda weights: torch.optim.SGD(weights, 0.05, momentum=0.9)).fit()
    assert one_shot.finished
    assert len(one_shot.losses) == 40
    assert min(one_shot.losses[-5:]) < one_shot.losses[0]
    if one_shot.method.ranks:
        ranked = one_shot.ranked(3)
        assert len(set(ranked)) == 3
        assert all(architecture in one_shot.space for architecture in ranked)
    else:
        with pytest.raises(InputError, match="trains weights and ranks nothing itself"):
            one_shot.ranked(3)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("after", [1, 4, 7, 10])
def test_a_search_that_was_stopped_anywhere_goes_on_exactly(name, after, tmp_path):
    """Stopped after any step and read from its checkpoint, it has all of one that was not."""
    whole = search(name, seed=3, recipe=Recipe(label_smoothing=0.1)).fit()
    steps = iter(range(1, 1_000))
    part = search(name, seed=3, recipe=Recipe(label_smoothing=0.1), folder=tmp_path)
    part.fit(stop=lambda: next(steps) == after)
    assert part.steps == after
    torch.manual_seed(99)
    again = search(name, seed=3, recipe=Recipe(label_smoothing=0.1), folder=tmp_path).fit()
    assert again.losses == whole.losses
    assert torch.equal(weights(again), weights(whole))
    if whole.method.ranks:
        assert again.ranked(5) == whole.ranked(5)


def test_the_same_object_goes_on_exactly():
    """A stop within an epoch and another call are one training."""
    whole, steps = search(seed=1).fit(), iter(range(1, 1_000))
    part = search(seed=1).fit(stop=lambda: next(steps) == 6)
    assert part.fit().losses == whole.losses
    assert torch.equal(weights(part), weights(whole))


def test_a_device_that_is_not_here_is_refused():
    """Before anything is made, with those that are."""
    with pytest.raises(InputError, match=r"device 'foo' is not on this machine\. There is: cpu"):
        search(device="foo")


def test_an_order_that_was_found_before_is_proposed():
    """As far as it is of the study's space; the method is asked for what comes after."""
    one_shot = search().fit()
    known = [nw.Architecture({"a": a, "b": "p"}) for a in "rqp"]
    ranked = Ranked(one_shot, 4)
    ranked.prepare(known)
    part = one_shot.space.restrict(lambda architecture: architecture["a"] != "q")
    ranked.start(part, [Objective("score", "maximize")])
    asked = [ranked.ask(np.random.default_rng(0)).architecture for _ in range(4)]
    assert [known[0], known[2]] == asked[:2]
    assert len(set(asked)) == 4
    assert all(architecture in part for architecture in asked)
    assert ranked.ask(np.random.default_rng(0)) is None


def test_the_generator_of_the_process_is_left_alone():
    """Training draws from generators of its own."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    search().fit().ranked(2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"method": "drnas"}, "another method"),
        ({"method": "darts(alpha_lr=0.1)"}, "another method"),
        ({"seed": 2}, "another seed"),
        ({"epochs": 5}, "another epochs"),
        ({"batch_size": 8}, "another batch size"),
        ({"data": data(seed=1)}, "another data"),
        ({"space": nw.SearchSpace(Toy).fix(a="p")}, "another space"),
    ],
)
def test_a_checkpoint_of_another_search_is_refused(change, word, tmp_path):
    """In one line that names what differs, before anything is trained."""
    search(folder=tmp_path, epochs=1).fit()
    options = {"space": space(), "method": "darts", "data": data(), "epochs": 1, "folder": tmp_path} | change
    with pytest.raises(InputError, match=rf"checkpoint in .* is of .*{word}"):
        OneShot(options.pop("space"), options.pop("method"), options.pop("data"), **options).fit()


class Other(nn.Module):
    """Like the toy, with another option, and a decision of its own in place of one."""

    def __init__(self):
        super().__init__()
        self.a = nw.one_of("a", p=lambda: nn.Linear(3, 3), q=lambda: nn.Linear(3, 3), s=nn.Identity)
        self.c = nw.one_of("c", p=lambda: nn.Linear(3, 3), q=nn.Identity)

    def forward(self, x):
        return self.c(self.a(x))


def test_a_checkpoint_of_another_space_says_in_what_it_differs(tmp_path):
    """The names of the spaces, decisions that only one has, and options that differ; hashes where none are known."""
    search(folder=tmp_path, epochs=1).fit()
    other = OneShot(nw.SearchSpace(Other), "darts", data(), epochs=1, folder=tmp_path)
    with pytest.raises(InputError) as refused:
        other.fit()
    expected = "another space (Toy, now Other; only there: b; only here: c; a: p, q, r, here p, q, s)"
    assert str(refused.value).partition(" is of ")[2].startswith(expected)
    about, _ = checkpoints.read(tmp_path / "supernet.safetensors")
    del about["decisions"]
    with pytest.raises(InputError, match=r"another space \(space [0-9a-f]{24}, now [0-9a-f]{24}\)"):
        other._same(about)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    """The weights of a network, and what is damaged."""
    save_weights(tmp_path / "supernet.safetensors", {"weight": torch.zeros(2)})
    with pytest.raises(InputError, match="no checkpoint of a one-shot search"):
        search(folder=tmp_path).fit()
    (tmp_path / "supernet.safetensors").write_bytes(b"\x80\x05pickle in disguise")
    with pytest.raises(StoreError, match="is damaged"):
        search(folder=tmp_path).fit()


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    """It says which formats, and what to do."""
    from netwright.strategies.oneshot import checkpoints

    monkeypatch.setattr(checkpoints, "FORMAT", 2)
    search(folder=tmp_path, epochs=1).fit()
    monkeypatch.undo()
    with pytest.raises(InputError, match="format 2, and this version reads 1"):
        search(folder=tmp_path, epochs=1).fit()


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    """With the epoch and what to do; the checkpoint stays that of before."""
    one_shot = search(DARTS(lr=1e30, clip=1e30), folder=tmp_path, alarm=False)
    with pytest.raises(FloatingPointError, match=r"the loss of the supernet is .* in epoch \d: lower"):
        one_shot.fit()


def test_own_optimisers_and_schedules_replace_the_published():
    """Weights by Adam at a constant rate, numbers by SGD; second-order DARTS needs SGD for the weights."""
    rates = []
    one_shot = search(
        "darts",
        optimizer=lambda weights: torch.optim.Adam(weights, 0.01),
        numbers_optimizer=lambda numbers: torch.optim.SGD(numbers, 0.5),
        schedule=lambda part: rates.append(part) or 1.0,
    ).fit()
    assert isinstance(one_shot.method._duo.weights_optimizer, torch.optim.Adam)
    assert one_shot.method._duo.weights_optimizer.param_groups[0]["lr"] == 0.01
    assert one_shot.method._duo.numbers_optimizer.param_groups[0]["lr"] == 0.5
    assert rates == [step / one_shot.all_steps for step in range(one_shot.all_steps)]
    with pytest.raises(InputError, match="one step of SGD ahead"):
        search("darts2", optimizer=lambda weights: torch.optim.Adam(weights, 0.01)).fit()


def test_mixed_precision_runs_the_forward_pass_in_less():
    """The layers see bfloat16, the weights and the loss stay in single precision."""
    one_shot, seen = search("spos(lr=0.1)", precision="bfloat16", batch_size=16), set()
    for layer in one_shot.supernet.network.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda _, __, out: seen.add(out.dtype))
    one_shot.fit()
    assert seen == {torch.bfloat16}
    assert {weight.dtype for weight in one_shot.supernet.network.parameters()} == {torch.float32}
    assert one_shot.losses[-1] < one_shot.losses[0]


def test_halves_are_disjoint_and_all_of_the_training_part():
    """Weights and numbers learn from different examples; the other parts of the split are never touched."""
    one_shot = search()
    (X, _), (V, _) = one_shot._parts()
    rows = [{tuple(row) for row in part.tolist()} for part in (X, V)]
    train = {tuple(row) for row in one_shot.data.X[one_shot.split.train].tolist()}
    assert len(rows[0] & rows[1]) == 0
    assert rows[0] | rows[1] <= train
    assert len(train) - len(rows[0] | rows[1]) <= 1


def test_a_small_data_set_has_small_batches_and_smaller_steps():
    """At least twelve steps an epoch where the batch can be so small; the rate falls with the batch, Goyal et al."""
    one_shot = OneShot(space(), SPOS(lr=0.5), data(2_000), epochs=1)
    assert one_shot.batch_size == 64
    assert one_shot._course().scale == 64 / 1024
    assert OneShot(space(), SPOS(lr=0.5), data(2_000), epochs=1, batch_size=50)._course().scale == 1.0
    assert OneShot(space(), "darts", data(2_000), epochs=1)._course().numbers_scale == 30.0
    assert OneShot(space(), "darts", data(2_000), epochs=2_000)._course().numbers_scale == 1.0


def test_numbers_of_regression_are_standardised():
    """The supernet learns targets of mean 0 and deviation 1."""
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    targets = X[:, [2, 0, 1]].astype(np.float32) * 50 + 900
    one_shot = OneShot(space(), "spos(lr=0.1)", Data(X, targets), epochs=20, batch_size=16).fit()
    (_, y), *_ = one_shot._parts()
    torch.testing.assert_close(y.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    scored = nw.evaluators.SharedWeights(
        one_shot.supernet, one_shot.data, split=one_shot.split, center=one_shot.center, scale=one_shot.scale
    )
    study = nw.Study(space(), "random", scored, maximize="val_r2").run(max_trials=4)
    assert study.best.metrics["val_r2"] > 0.3
    assert study.best.metrics["val_rmse"] < 50


def test_what_makes_no_sense_is_refused():
    """In words, when it is made."""
    with pytest.raises(InputError, match="OneShot needs a SearchSpace, found type"):
        OneShot(Toy, "darts", data())
    with pytest.raises(InputError, match="unknown one-shot method 'dart'"):
        search("dart")
    with pytest.raises(InputError, match="one-shot method 'darts' has no argument 'rate'"):
        search("darts(rate=1)")
    with pytest.raises(InputError, match="precision is one of float32, bfloat16, auto, found 'half'"):
        search(precision="half")
    with pytest.raises(InputError, match="a one-shot method is an object or a name"):
        search(method=DARTS)


def test_a_space_that_a_method_cannot_take_is_refused_before_training():
    """By the name of the decision, with the way out."""

    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, nw.choose("width", 4, 8))

        def forward(self, x):
            return self.layer(x)

    with pytest.raises(SpaceError, match="'width'"):
        OneShot(nw.SearchSpace(Wide), "fairnas", data()).fit()


@final
class Noting(Method):
    """Takes no steps, and notes which it was asked for."""

    epochs, batch_size, halves, period = 30, 16, False, 2

    def __init__(self):
        self.asked = []

    def start(self, supernet, course):
        pass

    def step(self, number, train, valid):
        self.asked.append(number)
        return torch.zeros(())


def test_steps_are_timed_all_along_the_course():
    """In each third of it one that is not counted, and then as many as it takes until their costs begin anew."""
    method = Noting()
    one_shot = OneShot(space(), method, data())
    assert one_shot.seconds_a_step() > 0
    assert [part * one_shot.all_steps + step for part in (1 / 6, 1 / 2, 5 / 6) for step in range(3)] == method.asked
    assert one_shot.steps == 0


def test_proxyless_is_timed_with_a_step_of_its_numbers():
    """Of so many steps one is of the numbers."""
    assert make("proxyless(every=3)").period == 3


def test_names_stand_for_methods_with_arguments():
    """darts2 is DARTS of second order, and brackets hold what the constructor takes."""
    assert make("darts2").order == 2
    assert make("darts").order == 1
    assert make("gdas(start=5)").first == 5
    assert isinstance(make("gdas"), GDAS)


def test_a_fit_after_an_exception_goes_on():
    """What ended a step from outside leaves the steps before it; the next call takes the rest."""
    one_shot, steps = search("spos(lr=0.1)", seed=1), iter(range(1, 1_000))

    def stop():
        if next(steps) == 5:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        one_shot.fit(stop=stop)
    assert one_shot.steps == 5
    assert one_shot.fit().losses == search("spos(lr=0.1)", seed=1).fit().losses
