"""The loop, against torch's own schedulers and a loop written by hand, and what it does when memory is missing."""

import copy
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from netwright.errors import InputError
from netwright.training import Data, Recipe, credits, fit, predict, train_network
from netwright.training.loop import learning_rate

SGD = Recipe(epochs=2, batch_size=8, lr=0.05)


def rows(count=40, features=4, classes=3, seed=0):
    """A task that a line separates."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, features)).astype(np.float32)
    return X, (X @ rng.normal(size=(features, classes))).argmax(1)


def images(count=24):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 1, 6, 6)).astype(np.float32), np.arange(count) % 2


def linear(seed=0, inputs=4, outputs=3):
    torch.manual_seed(seed)
    return nn.Linear(inputs, outputs)


def convolution(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(144, 2)
    )


def values(network):
    return torch.cat([tensor.detach().flatten().float() for tensor in network.state_dict().values()])


class Hungry(nn.Module):
    """A network for which memory is missing above a number of examples."""

    def __init__(self, limit, error=None, inner=None):
        super().__init__()
        self.inner = inner or linear()
        self.limit, self.error, self.sizes = limit, error or torch.OutOfMemoryError("CUDA out of memory"), []

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.limit:
            raise self.error
        return self.inner(x)


# Schedules


@pytest.mark.parametrize("steps", [7, 10, 100, 1234])
def test_one_cycle_is_that_of_torch(steps):
    """Each step's learning rate equals OneCycleLR's with its default shape."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=steps, cycle_momentum=False)
    expected = []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < steps:
            reference.step()
    assert expected == pytest.approx([learning_rate("one_cycle", 0.3, step, steps) for step in range(steps)], abs=1e-12)


def test_cosine_is_that_of_torch():
    """Each step's learning rate equals CosineAnnealingLR's down to 0."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    expected = []
    for _ in range(50):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert expected == pytest.approx([learning_rate("cosine", 0.3, step, 50) for step in range(50)], abs=1e-12)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_the_shortest_trainings_have_a_learning_rate(schedule, steps):
    """One step and few steps are finite and not above the peak."""
    rates = [learning_rate(schedule, 0.1, step, steps) for step in range(steps)]
    assert all(0 <= rate <= 0.1 + 1e-12 for rate in rates)
    assert max(rates) > 0


# The loop


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_it_is_the_loop_that_one_would_write_by_hand(name):
    """Same order, same steps, same weights as a bare loop over torch's optimiser and scheduler."""
    X, y = rows()
    recipe = Recipe(epochs=3, batch_size=16, lr=0.02, optimizer=name, weight_decay=0.1, label_smoothing=0.1, clip=0.5)
    ours, theirs = linear(), linear()
    fit(ours, X, y, recipe, seed=5)
    groups = [{"params": [theirs.weight], "weight_decay": 0.1}, {"params": [theirs.bias], "weight_decay": 0.0}]
    if name == "sgd":
        optimizer = torch.optim.SGD(groups, lr=0.02, momentum=0.9, nesterov=True)
    else:
        optimizer = torch.optim.AdamW(groups, lr=0.02)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=10, cycle_momentum=False)
    shuffle = torch.Generator().manual_seed(5)
    for _ in range(3):
        order = torch.randperm(40, generator=shuffle)
        for start in range(0, 40, 16):
            batch = order[start : start + 16]
            optimizer.zero_grad()
            loss = functional.cross_entropy(
                theirs(torch.from_numpy(X)[batch]), torch.from_numpy(y)[batch], label_smoothing=0.1
            )
            loss.backward()
            nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
            # The scheduler of the reference has one step more than the nine that are taken.
            optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = learning_rate(
                "one_cycle", 0.02, scheduler.last_epoch, 9
            )
            optimizer.step()
            scheduler.step()
    assert torch.allclose(values(theirs), values(ours), atol=1e-6)


def test_a_line_is_learned():
    """On separable rows training reaches what a line can."""
    X, y = rows(300)
    network = linear()
    fitted = fit(network, X, y, Recipe(epochs=30, batch_size=32, lr=0.5, weight_decay=0.0))
    assert fitted.metrics["train_loss"] < 0.2
    assert credits(network, X, y).mean() > 0.95


def test_the_same_seed_gives_the_same_weights_whatever_ran_before():
    """Dropout, order and augmentation follow the seed alone, and another seed differs."""
    X, y = images()
    recipe = Recipe(epochs=2, batch_size=8, augment=("crop", "flip", "cutout"))
    results = []
    for noise, seed in ((1, 0), (2, 0), (1, 1)):
        network = convolution()
        torch.manual_seed(noise)
        torch.rand(noise)
        fit(network, X, y, recipe, seed=seed)
        results.append(values(network))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_another_process_gives_the_same_weights():
    """A fresh interpreter ends with the same bits."""
    code = (
        "import torch; torch.set_num_threads(1)\n"
        f"import sys; sys.path.insert(0, {str(__file__.rsplit('/', 1)[0])!r})\n"
        "from test_loop import *\n"
        "X, y = images(); network = convolution()\n"
        "fit(network, X, y, Recipe(epochs=2, batch_size=8, augment=('crop', 'flip')), seed=3)\n"
        "print(values(network).double().sum().item().hex())"
    )
    texts = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout}
    X, y = images()
    network = convolution()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fit(network, X, y, Recipe(epochs=2, batch_size=8, augment=("crop", "flip")), seed=3)
    finally:
        torch.set_num_threads(threads)
    assert {values(network).double().sum().item().hex() + "\n"} == texts


def test_the_global_generator_is_left_as_it_was():
    """Training draws nothing from the stream of whoever calls it."""
    X, y = images()
    network = convolution()
    before = torch.get_rng_state()
    fit(network, X, y, SGD)
    assert torch.equal(before, torch.get_rng_state())


def test_an_epoch_is_reported_as_it_ends():
    """One report an epoch, from 1, with training and validation; the curve and the metrics are the same."""
    X, y = rows()
    seen = []
    fitted = fit(
        linear(), X, y, SGD, epochs=3, X_validation=X, y_validation=y, report=lambda step, m: seen.append((step, m))
    )
    assert [1, 2, 3] == [step for step, _ in seen]
    assert [(report.step, report.metrics) for report in fitted.curve] == seen
    assert {"train_loss", "val_accuracy", "val_loss"} == set(fitted.metrics)
    assert seen[-1][1] == fitted.metrics


def test_what_a_report_raises_ends_the_training():
    """A study prunes by raising."""
    X, y = rows()

    def report(step, metrics):
        raise StopIteration(step)

    with pytest.raises(StopIteration, match="1"):
        fit(linear(), X, y, SGD, report=report)


def test_validation_metrics_are_those_of_the_weights():
    """Accuracy and loss equal what predict gives afterwards."""
    X, y = rows()
    network = linear()
    fitted = fit(network, X, y, SGD, X_validation=X[:20], y_validation=y[:20])
    logits = predict(network, X[:20])
    expected = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(y[:20])).item()
    assert fitted.metrics["val_accuracy"] == pytest.approx((logits.argmax(1) == y[:20]).mean())
    assert fitted.metrics["val_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_network_is_left_in_evaluation_mode_with_plain_weights():
    """After training it predicts, and its tensors have the usual layout."""
    X, y = images()
    network = convolution()
    fit(network, X, y, SGD)
    assert not any(module.training for module in network.modules())
    assert all(tensor.is_contiguous() for tensor in network.state_dict().values())


def test_early_stopping_keeps_the_best_epoch():
    """After ``patience`` epochs without a better score training stops, and the weights are the best epoch's."""
    X, y = rows(60)
    network = linear()
    recipe = Recipe(epochs=50, batch_size=60, lr=5.0, schedule="constant", patience=4)
    fitted = fit(network, X, y, recipe, X_validation=X[:20], y_validation=y[:20])
    scores = [report.metrics["val_accuracy"] for report in fitted.curve]
    assert fitted.epochs == scores.index(max(scores)) + 1 + 4 < 50
    assert max(scores) == fitted.metrics["val_accuracy"]
    assert max(scores) == pytest.approx(credits(network, X[:20], y[:20]).mean())


def test_a_last_batch_of_one_is_left_out():
    """BatchNorm cannot normalise one example: 17 in batches of 8 are two batches, of other examples each epoch."""
    X, y = rows(17)
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    fit(network, X, y, Recipe(epochs=3, batch_size=8))
    assert 6 == network[0].num_batches_tracked


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_smallest_data_train(count):
    """A batch larger than the data is all of the data."""
    X, y = rows(3)
    assert math.isfinite(fit(linear(), X[:count], y[:count], SGD).metrics["train_loss"])


def test_a_loss_that_is_not_finite_names_the_epoch():
    """A learning rate far too large ends in FloatingPointError, not in NaN metrics."""
    X, y = rows()
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) in epoch \d+ of 20"):
        fit(nn.Sequential(linear(), nn.Linear(3, 3)), X * 1e3, y, Recipe(epochs=20, lr=1e30, schedule="constant"))


def test_weights_that_broke_in_the_last_step_are_noticed():
    """The training loss is of the weights before a step; validation looks at those after the last."""
    X, y = rows(8)
    with pytest.raises(FloatingPointError, match="validation loss is nan in epoch 1 of 1"):
        fit(linear(), X, y, Recipe(epochs=1, batch_size=8, lr=1e38, schedule="constant", weight_decay=1e38),
            X_validation=X, y_validation=y)  # fmt: skip


def test_weight_decay_spares_biases_and_norms():
    """With no gradient to speak of, only the matrix shrinks."""
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    with torch.no_grad():
        network[1].bias.fill_(1.0)
    before = copy.deepcopy(network)
    X, y = rows()
    fit(network, X, y, Recipe(epochs=1, optimizer="adamw", lr=1e-12, weight_decay=1e11, schedule="constant"))
    assert torch.allclose(before[1].bias, network[1].bias)
    assert torch.allclose(before[0].weight, network[0].weight)
    assert network[1].weight.norm() < 0.91 * before[1].weight.norm()


def test_a_network_that_views_its_features_trains_all_the_same():
    """``view`` refuses channels last; such a network is trained in the plain layout."""

    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(144, 2)

        def forward(self, x):
            x = self.conv(x)
            return self.head(x.view(x.shape[0], -1))

    X, y = images()
    network = Viewing()
    assert 2 == fit(network, X, y, SGD).epochs
    assert (24, 2) == predict(network, X).shape


def test_augmentation_is_for_images():
    """Rows cannot be cropped; the error names the field and the shape."""
    X, y = rows()
    with pytest.raises(InputError, match=r"recipe\.augment=\('crop',\) .* found inputs of shape \(40, 4\)"):
        fit(linear(), X, y, SGD.replace(augment=("crop",)))


def test_a_network_without_parameters_is_refused():
    """There is nothing to train in it."""
    X, y = rows()
    with pytest.raises(InputError, match="Flatten has no parameters to train"):
        fit(nn.Flatten(), X, y, SGD)


def test_lengths_must_agree():
    """Fewer targets than inputs is an error, not a broadcast."""
    X, y = rows()
    with pytest.raises(InputError, match="found 40 inputs and 39 targets"):
        fit(linear(), X, y[:-1], SGD)


def test_nothing_is_written_to_read_only_arrays(tmp_path):
    """A memory map trains without a warning and without a copy of ours being written back."""
    X, y = rows()
    data = Data(X, y, ("a", "b", "c")).save(tmp_path)
    before = data.fingerprint
    fit(linear(), data.X, data.y, SGD)
    assert before == Data.load(tmp_path, verify=True).fingerprint


# Want of memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_a_batch_that_does_not_fit_is_halved(error):
    """Whatever way memory is missing is told, training goes on with half the batch, and says so."""
    X, y = rows(32)
    network = Hungry(5, error)
    fitted = fit(network, X, y, Recipe(epochs=2, batch_size=16))
    assert (2, 4, 2) == (fitted.epochs, fitted.batch_size, fitted.halvings)
    assert [16, 8, *[4] * 16] == network.sizes


@pytest.mark.parametrize("batch_size", [16, 13])
def test_micro_batches_give_the_gradient_of_the_whole_batch(batch_size):
    """Without BatchNorm the weights are those of a machine with enough memory, also where parts are unequal."""
    X, y = rows(32)
    recipe = Recipe(epochs=3, batch_size=batch_size, lr=0.1, label_smoothing=0.1)
    rich, poor = Hungry(99), Hungry(3)
    expected, found = fit(rich, X, y, recipe), fit(poor, X, y, recipe)
    assert found.halvings > 0
    assert torch.allclose(values(rich), values(poor), atol=1e-5)
    assert found.metrics["train_loss"] == pytest.approx(expected.metrics["train_loss"], rel=1e-4)


def test_one_example_that_does_not_fit_is_an_error():
    """There is no half of one; the candidate fails with the allocator's own words."""
    X, y = rows(8)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        fit(Hungry(0), X, y, SGD)


def test_other_errors_are_not_mistaken_for_it():
    """A shape error is raised at once."""
    X, y = rows(8)
    network = Hungry(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        fit(network, X, y, SGD)
    assert [8] == network.sizes


def test_prediction_halves_too():
    """All outputs come back in order, however few fit at once."""
    X, _ = rows(33)
    network = Hungry(5)
    assert np.allclose(predict(network.inner, X), predict(network, X, batch_size=32), atol=1e-6)


# Regression


def line(count=200, columns=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(count, 3)).astype(np.float32)
    weights = rng.normal(size=(3,) if columns is None else (3, columns))
    return X, (1000 + 50 * X @ weights).astype(np.float32)


@pytest.mark.parametrize("columns", [None, 2])
def test_a_regression_is_scored_in_the_targets_own_units(columns):
    """The target is standardised for training; R² and RMSE are sklearn's on the true scale."""
    from sklearn.metrics import r2_score, root_mean_squared_error

    X, y = line(columns=columns)
    network = linear(inputs=3, outputs=columns or 1)
    recipe = Recipe(epochs=3, batch_size=16, lr=0.02)
    fitted = fit(network, X[:150], y[:150], recipe, X_validation=X[150:], y_validation=y[150:])
    truth = y[150:].reshape(50, -1)
    outputs = predict(network, X[150:]) * fitted.scale + fitted.center
    assert fitted.metrics["val_r2"] == pytest.approx(r2_score(truth, outputs), abs=1e-4)
    # Of all numbers of all columns together.
    rmse = root_mean_squared_error(truth.ravel(), outputs.ravel())
    assert fitted.metrics["val_rmse"] == pytest.approx(rmse, rel=1e-3)
    weighted = r2_score(truth, outputs, multioutput="variance_weighted")
    assert credits(network, X[150:], y[150:], fitted=fitted).mean() == pytest.approx(weighted, abs=1e-4)


def test_a_constant_target_has_no_spread_to_divide_by():
    """It trains, and R² is sklearn's 0 for inexact answers."""
    X, y = line(20)
    fitted = fit(
        linear(inputs=3, outputs=1), X, np.full_like(y, 7), SGD, X_validation=X, y_validation=np.full_like(y, 7)
    )
    assert 0.0 == fitted.metrics["val_r2"]


# Finalists


def test_a_finalist_trains_on_its_indices_alone():
    """The weights are those of training on the chosen examples in their order."""
    X, y = rows(60)
    indices = np.arange(0, 60, 2)
    ours, theirs = linear(), linear()
    fitted = train_network(ours, Data(X, y, ("a", "b", "c")), indices, SGD, seed=4, epochs=3)
    fit(theirs, X[indices], y[indices], SGD, seed=4, epochs=3)
    assert 3 == fitted.epochs
    assert torch.equal(values(theirs), values(ours))


def test_credits_is_one_an_example():
    """1 where the largest logit is the class, else 0."""
    network = nn.Identity()
    logits = np.array([[2, 1], [0, 3], [5, 4]], np.float32)
    assert [1.0, 1.0, 0.0] == credits(network, logits, np.array([0, 1, 1])).tolist()


def test_predict_leaves_the_mode_as_it_was():
    """A network in training mode predicts in evaluation mode and is in training mode afterwards."""
    network = convolution().train()
    first, second = predict(network, images()[0]), predict(network, images()[0])
    assert np.array_equal(first, second)
    assert network.training
    assert network[1].training


class Clock(nn.Module):
    """A linear network on whose steps a clock goes on, by seconds that may change from step to step."""

    def __init__(self, seconds):
        super().__init__()
        self.inner, self.seconds, self.now, self.steps, self.rates = linear(), seconds, 0.0, 0, []

    def forward(self, x):
        if self.training:
            self.now += self.seconds(self.steps)
            self.steps += 1
        return self.inner(x)

    def train_for(self, monkeypatch, seconds, epochs=20, schedule="cosine"):
        """The training, with a clock that only this network moves on: 5 steps an epoch."""
        monkeypatch.setattr("netwright.training.loop.time.perf_counter", lambda: self.now)
        monkeypatch.setattr("netwright.training.loop.learning_rate", self._rate)
        X, y = rows()
        recipe = Recipe(epochs=epochs, batch_size=8, lr=0.1, schedule=schedule)
        return fit(self, X, y, recipe, seconds=seconds)

    def _rate(self, schedule, peak, step, steps):
        self.rates.append(learning_rate(schedule, peak, step, steps))
        return self.rates[-1]


@pytest.mark.parametrize(
    ("a_step", "seconds", "epochs"),
    [
        (lambda step: 1.0, 100.0, 20),  # it just fits
        (lambda step: 1.0, 52.0, 10),
        (lambda step: 1.0, 3.0, 1),  # the least
        (lambda step: 1.0 if step < 25 else 4.0, 100.0, 8),  # from the 6th epoch on four times as slow
        (lambda step: 40.0 if step == 0 else 1.0, 140.0, 20),  # one slow step says nothing about the others
        (lambda step: 40.0 if step == 0 else 1.0, 100.0, 2),  # it was the first: two were planned, and they are done
    ],
)
def test_training_ends_with_its_seconds(monkeypatch, a_step, seconds, epochs):
    """It trains for as many epochs as fit, and not more."""
    network = Clock(a_step)
    fitted = network.train_for(monkeypatch, seconds)
    assert fitted.epochs == len(fitted.curve) == epochs
    assert network.steps == 5 * epochs


def test_what_comes_once_is_no_part_of_the_next_epochs(monkeypatch):
    """Of a first epoch of .9 s some .5 s do not come again: it is not the last one."""
    network = Clock(lambda step: 0.54 if step == 0 else 0.09)
    assert network.train_for(monkeypatch, 2.0).epochs == 3
    network = Clock(lambda step: 0.18)
    assert network.train_for(monkeypatch, 2.0).epochs == 2


def test_a_shorter_training_goes_the_whole_way_of_its_schedule(monkeypatch):
    """The learning rate falls from where it is to the end in the steps that are left, without a leap."""
    network = Clock(lambda step: 1.0)
    network.train_for(monkeypatch, 52.0)
    whole = [learning_rate("cosine", 0.1, step, 100) for step in range(5)]
    assert network.rates[:5] == whole
    # 5 % of the way is behind it after an epoch, 95 % lie before the other 45 steps.
    rest = [0.05 + 0.95 * step / 45 for step in range(45)]
    assert network.rates[5:] == pytest.approx([0.05 * (1 + math.cos(math.pi * part)) for part in rest])


def test_seconds_that_are_enough_change_nothing(monkeypatch):
    X, y = rows()
    one, other = linear(), linear()
    fit(one, X, y, SGD)
    fit(other, X, y, SGD, seconds=1e6)
    assert torch.equal(values(one), values(other))


@pytest.mark.parametrize("widths", [(96, 32, 1), (64, 16, 8), (192, 128, 1)])
def test_the_outputs_of_a_row_are_the_same_beside_any_others(widths: tuple[int, int, int]) -> None:
    """Bit for bit: alone, among few and many, in any order."""
    torch.manual_seed(0)
    first, second, last = widths
    network = nn.Sequential(
        nn.Linear(14, first), nn.GELU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, last)
    )
    X = np.random.default_rng(0).normal(size=(301, 14)).astype(np.float32)
    whole = predict(network, X)
    assert whole.shape == (301, last)
    for count in (1, 2, 5, 17, 100, 257):
        np.testing.assert_array_equal(predict(network, X[:count]), whole[:count])
    order = np.random.default_rng(1).permutation(301)
    np.testing.assert_array_equal(predict(network, X[order]), whole[order])
    np.testing.assert_array_equal(np.concatenate([predict(network, X[row : row + 1]) for row in range(40)]), whole[:40])
