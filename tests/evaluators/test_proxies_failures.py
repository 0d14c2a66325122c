"""Where a proxy has no number it says why, in a sentence that names it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from proxy_networks import CLASSES, make
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.evaluators.proxies import PROXIES, ProxyFailed
from netwright.evaluators.proxies.registry import select
from netwright.training.metrics import METRICS, PROXY_METRICS, direction


class Blind(nn.Module):
    """A network that does not look at its input: what a cell without a path from input to output is."""

    def __init__(self, factor: float = 0.0) -> None:
        super().__init__()
        self.factor = factor
        self.stem, self.act, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.act(self.stem(x) * self.factor).mean((2, 3)))
        return out


IMAGES = torch.randn(12, 3, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("synflow", "nothing flows from the input to the output"),
        ("jacob_cov", "the gradients by 12 of 12 inputs are constant"),
        ("epe_nas", "the gradients by 4 of 4 inputs are constant"),
        ("naswot", "two examples light the same units"),
        ("ntk", "its kernel is singular"),
    ],
)
def test_a_network_that_does_not_see_its_input(name: str, reason: str) -> None:
    """Such a network has no number, and the sentence says what was found."""
    with pytest.raises(ProxyFailed, match=f"^{name}: {reason}"):
        PROXIES[name](Blind(), IMAGES, CLASSES)


def test_nan_is_no_number() -> None:
    """Weights that are not finite make the proxy fail."""
    network = Blind(1.0)
    nn.init.constant_(network.head.weight, float("nan"))
    for name in ("snip", "grad_norm", "synflow", "jacob_cov", "fisher", "l2_norm"):
        with pytest.raises(ProxyFailed, match=f"^{name}: "):
            PROXIES[name](network, IMAGES, CLASSES)


@pytest.mark.parametrize("name", ["naswot", "swap"])
def test_no_activations(name: str) -> None:
    """A network that calls no activation has no codes."""
    with pytest.raises(ProxyFailed, match="the network calls no activation function"):
        PROXIES[name](nn.Linear(4, 3), torch.randn(5, 4), torch.zeros(5))


@pytest.mark.parametrize("name", ["synflow", "snip", "grasp", "plain", "grad_norm", "l2_norm", "zico", "ntk"])
def test_no_weights(name: str) -> None:
    """A network without matrices has nothing to sum over."""
    network = nn.Sequential(nn.Flatten(), nn.ReLU())
    with pytest.raises(ProxyFailed, match="no weights of two dimensions or more"):
        PROXIES[name](network, IMAGES, CLASSES)


def test_fisher_without_layers() -> None:
    """Fisher needs outputs of convolutions or linear layers."""
    with pytest.raises(ProxyFailed, match="neither a convolution nor a linear layer"):
        PROXIES["fisher"](nn.Flatten(), torch.randn(4, 3), torch.zeros(4, dtype=torch.long))


class Once(torch.autograd.Function):
    """The identity; its derivative cannot be had."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        raise NotImplementedError("no derivative of once")


class OnceOnly(torch.autograd.Function):
    """The identity, with a gradient and no second one."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:
        return Once.apply(gradient)


def test_grasp_where_an_operation_has_one_derivative() -> None:
    """Snip has a number for such a network, grasp says what is missing."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = OnceOnly.apply(self.head(x))
            return out

    inputs, targets = torch.randn(6, 4), torch.arange(6) % 3
    assert PROXIES["snip"](Net(), inputs, targets) > 0
    with pytest.raises(ProxyFailed, match=r"grasp: an operation has no second derivative \(no derivative of once\)"):
        PROXIES["grasp"](Net(), inputs, targets)


def test_a_flow_beyond_float64() -> None:
    """Synflow says so where even float64 is too small."""
    network = nn.Sequential(*[nn.Linear(8, 8, bias=False) for _ in range(5)]).double()
    for layer in network:
        nn.init.constant_(layer.weight, 1e75)
    with pytest.raises(ProxyFailed, match="larger than any float64"):
        PROXIES["synflow"](network, torch.zeros(1, 8), torch.zeros(1))


def test_epe_nas_needs_two_examples_of_a_class() -> None:
    """And classes at all."""
    network, inputs, targets = make("perceptron")
    with pytest.raises(ProxyFailed, match=r"no class has two of the 3 examples"):
        PROXIES["epe_nas"](network, inputs[:3], targets[:3])
    with pytest.raises(ProxyFailed, match="the targets are values"):
        PROXIES["epe_nas"](network, inputs, targets.float())


def test_zico_needs_gradients_that_differ() -> None:
    """The same examples in both halves have no deviation."""
    network = nn.Linear(4, 3)
    inputs, targets = torch.randn(4, 4).repeat(2, 1), torch.tensor([0, 1, 2, 0]).repeat(2)
    with pytest.raises(ProxyFailed, match="no weight has gradients that differ"):
        PROXIES["zico"](network, inputs, targets)


def test_features_that_are_missing() -> None:
    """No maps for meco, no change to tokens for zen, one block for AZ-NAS, an identity among its blocks."""
    network, inputs, targets = make("perceptron")
    with pytest.raises(ProxyFailed, match="no module answers with a feature map"):
        PROXIES["meco"](network, inputs, targets)
    tokens = make("transformer")
    with pytest.raises(ProxyFailed, match="the inputs are whole numbers"):
        PROXIES["zen"](*tokens)
    with pytest.raises(ProxyFailed, match="two blocks or more, found 0"):
        PROXIES["az_expressivity"](nn.Linear(4, 3), torch.randn(5, 4), torch.zeros(5))

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) * 1

    network = nn.Sequential(nn.Linear(4, 4), Same(), nn.Linear(4, 4), nn.Linear(4, 3))
    with pytest.raises(ProxyFailed, match="a block is an identity"):
        PROXIES["az_trainability"](network, torch.randn(5, 4), torch.zeros(5))


def test_an_answer_that_is_no_tensor() -> None:
    """A network that answers with a pair is refused, with what to do."""
    with pytest.raises(InputError, match="answers with one tensor, found tuple"):
        PROXIES["snip"](nn.LSTM(3, 4), torch.randn(5, 6, 3), torch.zeros(5))


@pytest.mark.parametrize(
    ("inputs", "targets", "sentence"),
    [
        (IMAGES[:0], CLASSES[:0], "inputs are of one example or more, found a tensor of shape"),
        (IMAGES.numpy(), CLASSES, "inputs are a tensor, found ndarray"),
        (IMAGES * float("nan"), CLASSES, "inputs are finite, found NaN or infinity"),
        (IMAGES.double(), CLASSES, r"cannot take torch.float64 of shape \(12, 3, 6, 6\): Input type"),
        (IMAGES[:, :1], CLASSES, r"cannot take torch.float32 of shape \(12, 1, 6, 6\): Given groups"),
        (IMAGES, CLASSES[:5], "every input has a target, found 12 inputs and 5 targets"),
        (IMAGES, CLASSES + 7, "scores 3 classes, counted from 0; targets go from 7 to"),
        (IMAGES, CLASSES.int(), "classes .* or floating-point values, found torch.int32"),
        (IMAGES, CLASSES.float(), r"shape \(12, 3\) and the targets are values of shape \(12,\)"),
        (IMAGES, CLASSES[:, None], r"shape \(12, 3\), and the classes are of shape \(12, 1\)"),
    ],
)
def test_a_batch_that_is_none(inputs: Any, targets: Any, sentence: str) -> None:
    """What is wrong with the batch is said, not what torch makes of it."""
    with pytest.raises(InputError, match=sentence):
        PROXIES["snip"](Blind(1.0), inputs, targets)


@pytest.mark.parametrize("name", [name for name, proxy in PROXIES.items() if proxy.wants])
def test_an_empty_batch(name: str) -> None:
    """Every proxy that looks at a batch refuses one without examples."""
    with pytest.raises(InputError, match=f"{name}: inputs are of one example or more"):
        PROXIES[name](Blind(1.0), IMAGES[:0], CLASSES[:0])


@pytest.mark.parametrize("name", ["jacob_cov", "ntk"])
def test_one_example_has_nothing_to_be_compared_with(name: str) -> None:
    """Two or more are wanted."""
    with pytest.raises(ProxyFailed, match=f"{name}: it compares two examples or more, found one"):
        PROXIES[name](Blind(1.0), IMAGES[:1], CLASSES[:1])


def test_ignored_classes() -> None:
    """The class -100 is left out, as by torch's cross-entropy; one target for two dimensions is none."""
    targets = CLASSES.clone()
    targets[0] = -100
    assert PROXIES["snip"](Blind(1.0), IMAGES, targets) > 0
    with pytest.raises(InputError, match=r"one class an example, found targets of shape \(12, 1\)"):
        PROXIES["epe_nas"](Blind(1.0), IMAGES, targets[:, None])


def test_lack_of_memory_stays_what_it_is() -> None:
    """It is no fault of the inputs: whoever runs the search counts it by its own kind."""

    class Large(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(RuntimeError, match="can't allocate memory"):
        PROXIES["naswot"](Large(), IMAGES, CLASSES)


def test_wrong_options() -> None:
    """Options that make no sense are refused."""
    network, inputs, targets = make("perceptron")
    wrong: dict[str, dict[str, float]] = {
        "zico": {"batches": 1},
        "ntk": {"batch": 1},
        "zen": {"repeats": 0},
        "swap": {"mu": 1},
    }
    for name, options in wrong.items():
        with pytest.raises(InputError, match=name):
            PROXIES[name](network, inputs, targets, **options)


def test_an_unknown_proxy_is_named_with_the_nearest() -> None:
    """Misspelled, none, twice."""
    with pytest.raises(InputError, match=r"no proxy 'sinflow'. Did you mean 'synflow'"):
        select(["sinflow"])
    with pytest.raises(InputError, match="no proxy is named"):
        select([])
    assert [proxy.name for proxy in select(["snip", "ntk", "snip"])] == ["snip", "ntk"]


def test_directions_stand_in_one_place() -> None:
    """The register of metrics and that of proxies agree; only the NTK's condition number is better when lower."""
    assert {name for name, proxy in PROXIES.items() if not proxy.higher_is_better} == {"ntk"}
    assert {name: proxy.direction for name, proxy in PROXIES.items() if name not in ("params", "macs")} == PROXY_METRICS
    assert not set(PROXY_METRICS) & set(METRICS)
    assert (direction("ntk"), direction("synflow"), direction("params")) == ("minimize", "maximize", "minimize")


@pytest.mark.parametrize("name", PROXIES)
def test_each_proxy_says_what_it_is(name: str) -> None:
    """A docstring, a source, what it wants, a batch and a cost."""
    proxy = PROXIES[name]
    assert proxy.name == name
    assert proxy.__doc__
    assert proxy.__doc__ != type(proxy).__doc__
    assert proxy.source
    assert proxy.batch >= 1
    assert proxy.passes >= 0
    assert set(proxy.wants) <= {"shape", "inputs", "targets"}


@pytest.mark.parametrize("name", [name for name, proxy in PROXIES.items() if "targets" not in proxy.wants])
def test_what_a_proxy_does_not_want_does_not_matter(name: str) -> None:
    """Other targets (and where only the shape is wanted, other inputs) give the same number."""
    network, inputs, targets = make("sequence")
    expected = PROXIES[name](network, inputs, targets)
    assert PROXIES[name](network, inputs, targets.flip(0)) == expected
    if "inputs" not in PROXIES[name].wants:
        assert PROXIES[name](network, inputs * 3 + 1, targets) == expected
