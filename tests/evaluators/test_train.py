"""Train turns a candidate into metrics: from scratch, from a parent, and from its own smaller budget."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.evaluators import Candidate, Heritage, Train
from netwright.training import Data, Recipe, load_weights, save_weights, split

RECIPE = Recipe(epochs=4, batch_size=16, lr=0.05)


class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 4, 8)
        self.body = nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.fixture(scope="module")
def space():
    return nw.SearchSpace(Net, input_shape=(5,), classes=3)


def rows(count=120):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(count, 5)).astype(np.float32)
    return Data(X, (X @ rng.normal(size=(5, 3))).argmax(1), ("a", "b", "c"))


def train(recipe=RECIPE, **options):
    data = options.pop("data", rows())
    return Train(data, recipe, split=split(data.y, 0), **options)


def candidate(space, width=4, **fields):
    return Candidate(Architecture({"width": width}), space, **fields)


def kept(space, path, width=4, **fields):
    """The path of a trained candidate's weights, and its metrics."""
    one = candidate(space, width, on_keep=lambda state: save_weights(path, state), **fields)
    return path, train()(one)


def test_a_candidate_is_scored_on_validation_data(space):
    """The metrics are those that the class announces, finite, with the epochs it trained."""
    evaluator = train()
    metrics = evaluator(candidate(space))
    assert set(evaluator.metrics) == set(metrics)
    assert "val_accuracy" == evaluator.metric
    assert (4.0, 4.0) == (metrics["epochs"], metrics["lineage_epochs"])
    assert all(type(value) is float and np.isfinite(value) for value in metrics.values())


def test_the_search_looks_at_training_and_validation_alone(space):
    """Selection and test data may be anything: the metrics stay the same."""
    data = rows()
    parts = split(data.y, 0)
    X = data.X.copy()
    X[parts.selection] = X[parts.test] = 1e6
    other = Data(X, data.y, data.classes)
    assert train()(candidate(space)) == train(data=other)(candidate(space))


def test_the_same_seed_gives_the_same_metrics(space):
    """Another evaluator object gives the same numbers; another seed others."""
    assert train()(candidate(space, seed=3)) == train()(candidate(space, seed=3))
    assert train()(candidate(space, seed=3)) != train()(candidate(space, seed=4))


@pytest.mark.parametrize(("budget", "epochs"), [(None, 4), (2, 2), (2.5, 3)])
def test_the_budget_is_a_number_of_epochs(space, budget, epochs):
    """None is the recipe's; a part of an epoch counts as a whole one."""
    assert epochs == train()(candidate(space, budget=budget))["epochs"]


@pytest.mark.parametrize("budget", ["proxy", 0, -1, float("nan"), float("inf")])
def test_another_budget_is_refused(space, budget):
    """What is no number of epochs raises and names it."""
    with pytest.raises(InputError, match="a budget is a number of epochs above 0, found"):
        train()(candidate(space, budget=budget))


def test_each_epoch_is_reported(space):
    """One report an epoch, from 1, with the validation score."""
    seen = []
    train()(candidate(space, on_report=lambda step, metrics: seen.append((step, "val_accuracy" in metrics))))
    assert [(1, True), (2, True), (3, True), (4, True)] == seen


def test_a_child_starts_from_its_parent_and_trains_less(space, tmp_path):
    """Half of the budget, rounded up, from weights that match by name; the lineage has the parent's epochs too."""
    path, _ = kept(space, tmp_path / "w")
    heritage = Heritage(0, path, same=False, epochs=4.0)
    metrics = train()(candidate(space, width=8, budget=5, heritage=heritage))
    assert (3.0, 7.0) == (metrics["epochs"], metrics["lineage_epochs"])


def test_a_child_really_starts_from_the_parent(space, tmp_path):
    """With a learning rate of almost nothing, an equal child scores what its parent scored."""
    path, parent = kept(space, tmp_path / "w")
    still = train(RECIPE.replace(lr=1e-12))
    heritage = Heritage(0, path, same=False, epochs=4.0)
    child = still(candidate(space, seed=9, heritage=heritage))
    stranger = still(candidate(space, seed=9))
    assert child["val_loss"] == pytest.approx(parent["val_loss"], rel=1e-5)
    assert stranger["val_loss"] != pytest.approx(parent["val_loss"], rel=1e-2)


@pytest.mark.parametrize(("budget", "epochs"), [(9, 5), (4, 1)])
def test_a_promotion_trains_the_rest_of_its_budget(space, tmp_path, budget, epochs):
    """Nine epochs after four are five more; there is at least one."""
    path, _ = kept(space, tmp_path / "w")
    metrics = train()(candidate(space, budget=budget, heritage=Heritage(0, path, same=True, epochs=4.0)))
    assert (epochs, 4 + epochs) == (metrics["epochs"], metrics["lineage_epochs"])


def test_a_start_from_another_study_is_bit_for_bit_where_shapes_are_alike(space, tmp_path, monkeypatch):
    """Before the first step: the other's tensors of the same shape, and what its seed draws everywhere else."""
    import netwright.evaluators.train as module

    path, _ = kept(space, tmp_path / "w", width=8)
    seen, fit = [], module.fit

    def watched(network, *arguments, **options):
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return fit(network, *arguments, **options)

    monkeypatch.setattr(module, "fit", watched)
    foreign, theirs = Heritage(7, path, same=False, study="runs/old"), load_weights(path)
    for width in (8, 4):
        one = candidate(space, width=width, heritage=foreign, seed=3)
        train()(one)
        fresh = one.network().state_dict()
        alike = {name for name in fresh if fresh[name].shape == theirs[name].shape}
        assert alike == (set(fresh) if width == 8 else {"head.bias"})
        assert all(torch.equal(theirs[name] if name in alike else fresh[name], seen[-1][name]) for name in fresh)


def test_a_start_from_another_study_on_the_same_data_is_better_after_one_epoch(space, tmp_path):
    """With each of five seeds, paired; it trains as long as from scratch, and counts those epochs alone."""
    path, _ = kept(space, tmp_path / "w", seed=99, budget=40)
    foreign, short = Heritage(7, path, same=False, study="runs/old"), train(RECIPE.replace(lr=0.01), epochs=1)
    for seed in range(5):
        begun = short(candidate(space, seed=seed, heritage=foreign))
        scratch = short(candidate(space, seed=seed))
        assert begun["val_loss"] < scratch["val_loss"]
        assert begun["val_accuracy"] > scratch["val_accuracy"]
        assert (begun["epochs"], begun["lineage_epochs"]) == (1, 1)


def test_a_damaged_parent_is_replaced_by_its_previous_copy(space, tmp_path):
    """The metrics say that the previous copy served."""
    path, _ = kept(space, tmp_path / "w")
    kept(space, tmp_path / "w", seed=1)
    path.write_bytes(b"damaged")
    metrics = train()(candidate(space, heritage=Heritage(0, path, same=False, epochs=4.0)))
    assert 1.0 == metrics["inherited_previous_copy"]


def test_the_trained_weights_are_kept(space, tmp_path):
    """What is kept is the trained network's state, unless nothing shall be."""
    path, _ = kept(space, tmp_path / "w")
    network = candidate(space).network()
    state = load_weights(path)
    assert set(network.state_dict()) == set(state)
    assert not torch.equal(network.head.weight, state["head.weight"])
    train(keep=False)(candidate(space, on_keep=lambda state: pytest.fail("weights were kept")))


def test_answers_of_the_architecture_change_the_recipe(space):
    """A decision named ``recipe.epochs`` is the number of epochs, unless the budget says another."""
    one = Candidate(Architecture({"width": 4, "recipe.epochs": 2}), space.__class__(Tuned, input_shape=(5,), classes=3))
    assert 2.0 == train()(one)["epochs"]


class Tuned(Net):
    def __init__(self, input_shape, classes):
        nw.choose("recipe.epochs", 2, 3)
        super().__init__(input_shape, classes)


def test_epochs_replace_those_of_the_recipe(space):
    """``Train(epochs=)`` is a short way to say it."""
    assert 2.0 == train(epochs=2)(candidate(space))["epochs"]


def test_a_regression_is_scored_by_r2(space):
    """Targets that are numbers: R² and RMSE in place of accuracy, and no classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 5)).astype(np.float32)
    data = Data(X, X.sum(1))
    evaluator = Train(data, RECIPE, split=split(data.y, 0))
    metrics = evaluator(Candidate(Architecture({"width": 4}), nw.SearchSpace(Net, input_shape=(5,), classes=1)))
    assert "val_r2" == evaluator.metric
    assert set(evaluator.metrics) == set(metrics)


def test_it_travels_light(space, tmp_path):
    """Pickled after use, with saved data, it is a few kilobytes, and gives the same metrics."""
    evaluator = train(data=rows(2000).save(tmp_path))
    before = evaluator(candidate(space))
    text = pickle.dumps(evaluator)
    assert len(text) < 30_000
    assert before == pickle.loads(text)(candidate(space))  # noqa: S301


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inherit_factor": 0.0}, "inherit_factor is more than 0"),
        ({"split": split(np.arange(50) % 2, 0)}, "the split is of 50 examples, the data have 120"),
        ({"split": split(np.arange(120) % 2, 0, validation=0)}, "no validation part"),
        ({"test": Data(np.ones((2, 4), np.float32), np.zeros(2, np.int64), ("a",))}, "test set has inputs of shape"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    """Arguments are checked when it is made, not when the first candidate fails."""
    data = rows()
    with pytest.raises(InputError, match=message):
        Train(data, RECIPE, **{"split": split(data.y, 0), **options})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rows(), Recipe.tables()),
        (Data(np.ones((4, 2), np.float32), np.ones(4, np.float32)), Recipe.regression()),
        (Data(np.ones((4, 1, 8, 8), np.float32), np.zeros(4, np.int64), ("a", "b")), Recipe.images()),
    ],
)
def test_the_usual_recipe_follows_the_data(data, expected):
    """Without a recipe: that of images, of tables or of regression."""
    assert expected == Train(data, split=split(np.zeros(len(data), np.int64), 0, test=0, selection=0)).recipe
