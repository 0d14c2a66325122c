"""SharedWeights: scores by a supernet's weights, with the norms' statistics of each architecture."""

from __future__ import annotations

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.errors import InputError
from netwright.evaluators.base import Candidate
from netwright.evaluators.shared_weights import SharedWeights
from netwright.supernet import Supernet
from netwright.supernet.recalibration import recalibrated
from netwright.training.data import Data
from netwright.training.splits import split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nw.one_of(
            "op",
            small=lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5)),
            other=lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh()),
        )
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.norm(self.body(x)))


def made():
    rng = np.random.default_rng(0)
    X = rng.normal(2, 3, (200, 5)).astype(np.float32)
    data = Data(X, (X[:, 0] > 2).astype(np.int64) + (X[:, 1] > 4), ("a", "b", "c"))
    parts = split(data.y, 0)
    supernet = Supernet(nw.SearchSpace(Net))
    return supernet, SharedWeights(supernet, data, split=parts), data, parts


def state(supernet):
    return {name: tensor.clone() for name, tensor in supernet.network.state_dict().items()}


def test_the_score_is_that_of_the_extracted_network_with_its_own_statistics():
    """By hand: extract, reset the norms, one cumulative average over the training part, evaluate."""
    supernet, evaluator, data, parts = made()
    supernet.at({"op": "small"})(5 * torch.from_numpy(data.X))  # statistics of before, which are not to count
    found = evaluator(Candidate(nw.Architecture({"op": "small"}), supernet.space))
    network = supernet.extract({"op": "small"}).eval()
    for norm in (network.body[1], network.norm):
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        network(torch.from_numpy(data.X[parts.train]))
        outputs = network.eval()(torch.from_numpy(data.X[parts.validation]))
    y = torch.from_numpy(data.y[parts.validation])
    assert found["val_accuracy"] == float((outputs.argmax(1) == y).float().mean())
    assert found["val_loss"] == pytest.approx(float(nn.functional.cross_entropy(outputs, y)), rel=1e-6)


def test_recalibration_changes_buffers_alone_and_gives_them_back():
    """Inside, only the statistics of the path's norms differ; afterwards nothing does, modes and momentum included."""
    supernet, evaluator, data, parts = made()
    supernet.train()
    before, x = state(supernet), torch.from_numpy(data.X[parts.train])
    with supernet.path({"op": "small"}) as network, recalibrated(network, x, batch_size=50):
        changed = {name for name, tensor in state(supernet).items() if not torch.equal(before[name], tensor)}
        assert not any(module.training for module in network.modules())
        means = torch.stack([network.body.candidates[0][0](part).mean(0) for part in x.split(50)])
        torch.testing.assert_close(network.body.candidates[0][1].running_mean, means.mean(0))
    kinds = ("running_mean", "running_var", "num_batches_tracked")
    assert {
        name for name in before if name.startswith(("body.candidates.0.1", "norm")) and name.endswith(kinds)
    } <= changed
    assert all(name.endswith(kinds) for name in changed)
    assert all(torch.equal(before[name], tensor) for name, tensor in state(supernet).items())
    assert all(module.training for module in supernet.network.modules())
    assert supernet.network.norm.momentum == 0.1
    evaluator(Candidate(nw.Architecture({"op": "other"}), supernet.space))
    assert all(torch.equal(before[name], tensor) for name, tensor in state(supernet).items())


def test_any_strategy_searches_a_supernet():
    """A study over shared weights is a study like any other, and travels to another process."""
    supernet, evaluator, _, _ = made()
    study = nw.Study(supernet.space, nw.strategies.Random(), evaluator, maximize="val_accuracy", seed=0)
    study.run(max_trials=2)
    assert {trial.architecture["op"] for trial in study.trials} == {"small", "other"}
    again = cloudpickle.loads(cloudpickle.dumps(evaluator))
    for trial in study.trials:
        assert trial.metrics["val_loss"] == again(Candidate(trial.architecture, supernet.space))["val_loss"]


def test_budgets_and_other_spaces_are_refused():
    """Shared weights know no budget, and a candidate belongs to the supernet's space."""
    supernet, evaluator, _, _ = made()
    with pytest.raises(InputError, match="shared weights know no budget, found 3"):
        evaluator(Candidate(nw.Architecture({"op": "small"}), supernet.space, budget=3))
    other = nw.SearchSpace(Net).fix(op="small")
    with pytest.raises(InputError, match=r"of another space than the supernet \(.*op"):
        evaluator(Candidate(nw.Architecture({"op": "small"}), other))
