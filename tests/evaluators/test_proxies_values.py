"""Each proxy equals a computation of another kind: by hand, by loops, by explicit matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from proxy_networks import KINDS, make
from torch import Tensor, nn
from torch.nn import functional

from netwright.evaluators.proxies import PROXIES, ProxyFailed, az_nas, rank_sum
from netwright.evaluators.proxies.features import block_features
from netwright.evaluators.proxies.patterns import agreements, distinct, log_determinant, regularised

Array = NDArray[np.float64]


def matrices(network: nn.Module) -> dict[str, Tensor]:
    """The weights of two dimensions and more, by name."""
    return {name: value for name, value in network.named_parameters() if value.dim() > 1}


def trained_gradients(network: nn.Module, inputs: Tensor, targets: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Weights and gradients by ``backward``, in training mode, without dropout."""
    network.train()
    network.zero_grad()
    functional.cross_entropy(network(inputs), targets).backward()
    return [(value.detach(), value.grad) for value in matrices(network).values() if value.grad is not None]


# --- synflow


def test_synflow_of_two_linear_layers_by_hand() -> None:
    """R = Σ|W2||W1|1, and each of the two layers' Σ|θ ∂R/∂θ| is R itself."""
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, -2.0], [0.0, 3.0]]))
        network[2].weight.copy_(torch.tensor([[-1.0, 2.0]]))
    # |W1|·1 = (3, 3); |W2|·(3, 3) = 9; two layers.
    assert PROXIES["synflow"](network, torch.zeros(4, 2), torch.zeros(4)) == pytest.approx(math.log(18))


def test_synflow_counts_residual_paths() -> None:
    """y = w2 (w1 x + x): Σ|θ g| = w1 w2 + (w1 + 1) w2 for scalars."""

    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.b(self.a(x) + x)
            return out

    network = Skip()
    with torch.no_grad():
        network.a.weight.fill_(-3)
        network.b.weight.fill_(-5)
    assert PROXIES["synflow"](network, torch.zeros(1, 1), torch.zeros(1)) == pytest.approx(math.log(15 + 20))


def test_synflow_passes_batchnorm_and_saturating_activations_by() -> None:
    """The same network without them has the same value."""
    torch.manual_seed(0)
    convs = [nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)]
    plain = nn.Sequential(*convs, nn.Flatten())
    dressed = nn.Sequential(
        convs[0], nn.BatchNorm2d(4), nn.Tanh(), convs[1], nn.GroupNorm(1, 5), nn.ReLU(inplace=True), nn.Flatten()
    )
    x, y = torch.randn(2, 3, 8, 8), torch.zeros(2)
    assert PROXIES["synflow"](dressed, x, y) == pytest.approx(PROXIES["synflow"](plain, x, y), rel=1e-12)


def test_synflow_does_not_look_at_the_batch() -> None:
    """Other inputs, other targets, another batch size: the same number."""
    network, inputs, targets = make("residual")
    first = PROXIES["synflow"](network, inputs, targets)
    assert PROXIES["synflow"](network, inputs[:3] * 100 - 7, 1 - targets[:3]) == first


def test_synflow_is_finite_where_the_plain_product_overflows() -> None:
    """A network so deep that the flow is infinite in float32 has a logarithm, and the right one."""
    torch.manual_seed(0)
    network = nn.Sequential(*[nn.Linear(40, 40, bias=False) for _ in range(100)])
    for layer in network:
        nn.init.constant_(layer.weight, 0.2)
    plain = torch.ones(1, 40)
    for layer in network:
        plain = layer(plain)
    assert torch.isinf(plain.sum())
    expected = 100 * math.log(8) + math.log(40) + math.log(100)
    assert PROXIES["synflow"](network, torch.zeros(1, 40), torch.zeros(1)) == pytest.approx(expected)


class Causal(nn.Module):
    """Attention with a mask of −∞ among its buffers."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(4, 12), nn.Linear(4, 3)
        self.register_buffer("mask", torch.full((5, 5), -math.inf).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.inner(x).chunk(3, -1)
        out: Tensor = self.head(functional.scaled_dot_product_attention(q, k, v, self.mask).mean(1))
        return out


@pytest.mark.parametrize("name", ["synflow", "grasp", "snip"])
def test_attention_with_a_mask(name: str) -> None:
    """Its −∞ stays what it is, and the fused kernel does not stand in the way of second derivatives."""
    torch.manual_seed(0)
    assert math.isfinite(PROXIES[name](Causal(), torch.randn(6, 5, 4), torch.arange(6) % 3))


# --- gradients of the loss


@pytest.mark.parametrize("kind", ["sequence", "recurrent"])
def test_snip_plain_and_norms_are_sums_over_weights(kind: str) -> None:
    """Σ|θg|, Σθg, Σ‖g‖ and Σ‖θ‖, with the gradients of ``backward``."""
    network, inputs, targets = make(kind)
    values = {name: PROXIES[name](network, inputs, targets) for name in ("snip", "plain", "grad_norm", "l2_norm")}
    pairs = trained_gradients(network, inputs, targets)
    assert values["snip"] == pytest.approx(sum(float((w * g).abs().sum()) for w, g in pairs), rel=1e-5)
    assert values["plain"] == pytest.approx(sum(float((w * g).sum()) for w, g in pairs), rel=1e-4)
    assert values["grad_norm"] == pytest.approx(sum(float(g.square().sum().sqrt()) for _, g in pairs), rel=1e-5)
    assert values["l2_norm"] == pytest.approx(sum(float(w.square().sum().sqrt()) for w, _ in pairs), rel=1e-5)


def test_a_loss_that_is_given_is_used() -> None:
    """Twice the loss, twice snip; and values as targets are judged by the mean square."""
    network, inputs, targets = make("perceptron")
    network[3].p = 0.0
    snip = PROXIES["snip"]

    def twice(outputs: Tensor, targets: Tensor) -> Tensor:
        return 2 * functional.cross_entropy(outputs, targets)

    assert snip(network, inputs, targets, loss=twice) == pytest.approx(2 * snip(network, inputs, targets), rel=1e-5)
    values = functional.one_hot(targets, 3).float()
    assert snip(network, inputs, values) == pytest.approx(
        snip(network, inputs, values, loss=functional.mse_loss), rel=1e-6
    )


def test_grasp_is_that_of_the_explicit_hessian() -> None:
    """−θᵀ H g with the whole Hessian written out."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 3, bias=False)).double()
    inputs, targets = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    weights = list(network.parameters())
    loss = functional.cross_entropy(network(inputs), targets)
    g = torch.cat([each.flatten() for each in torch.autograd.grad(loss, weights, create_graph=True)])
    rows = [torch.autograd.grad(each, weights, retain_graph=True) for each in g]
    hessian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    theta = torch.cat([weight.detach().flatten() for weight in weights])
    assert torch.allclose(hessian, hessian.T)
    expected = -float(theta @ hessian @ g.detach())
    assert PROXIES["grasp"](network, inputs, targets) == pytest.approx(expected, rel=1e-9)


def test_fisher_by_hand() -> None:
    """½ mean (Σ a g)² for one convolution with ReLU in place behind it and one linear layer."""
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(2, 3, 3), nn.Linear(3, 4)
    network = nn.Sequential(conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    inputs, targets = torch.randn(5, 2, 6, 6), torch.tensor([0, 1, 2, 3, 0])
    maps = conv(inputs).detach().requires_grad_()
    scores = linear(maps.relu().mean((2, 3)))
    scores.retain_grad()
    functional.cross_entropy(scores, targets).backward()
    assert maps.grad is not None
    assert scores.grad is not None
    expected = 0.0
    for channel in range(3):
        for_each = [float((maps[n, channel].detach() * maps.grad[n, channel]).sum()) for n in range(5)]
        expected += sum(value**2 for value in for_each) / 5 / 2
    for channel in range(4):
        expected += sum(float(scores[n, channel].detach() * scores.grad[n, channel]) ** 2 for n in range(5)) / 5 / 2
    assert PROXIES["fisher"](network, inputs, targets) == pytest.approx(expected, rel=1e-5)


def test_fisher_of_tokens_sums_over_positions() -> None:
    """A linear layer on (N, L, C) has its channels last."""
    linear = nn.Linear(2, 3)

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(1)

    inputs, targets = torch.randn(4, 5, 2), torch.tensor([0, 1, 2, 0])
    scores = linear(inputs).detach().requires_grad_()
    functional.cross_entropy(scores.mean(1), targets).backward()
    assert scores.grad is not None
    expected = float(np.square((scores * scores.grad).detach().numpy().sum(1)).mean(0).sum() / 2)
    assert PROXIES["fisher"](nn.Sequential(linear, Mean()), inputs, targets) == pytest.approx(expected, rel=1e-5)


def test_zico_by_the_formula() -> None:
    """Σ_l log Σ_w mean|g| / std g over two halves of the batch."""
    network, inputs, targets = make("sequence")
    value = PROXIES["zico"](network, inputs, targets)
    halves = []
    for part in (slice(0, 6), slice(6, 12)):
        halves.append([g.clone().numpy() for _, g in trained_gradients(network, inputs[part], targets[part])])
    expected = 0.0
    for one, two in zip(*halves, strict=True):
        deviation = np.abs(one - two) / 2
        mean = (np.abs(one) + np.abs(two)) / 2
        expected += math.log((mean[deviation > 0] / deviation[deviation > 0]).sum())
    assert value == pytest.approx(expected, rel=1e-4)


# --- Jacobians


def jacobian_by_loops(network: nn.Module, inputs: Tensor) -> Array:
    """The gradient of the sum of answers by each input, one number after another, by differences."""
    rows = np.zeros((len(inputs), inputs[0].numel()))
    for n in range(len(inputs)):
        for place in range(inputs[0].numel()):
            ends = []
            for step in (-1e-5, 1e-5):
                moved = inputs.clone()
                moved[n].view(-1)[place] += step
                with torch.no_grad():
                    ends.append(float(network(moved).sum()))
            rows[n, place] = (ends[1] - ends[0]) / 2e-5
    return rows


def correlation(a: Array, b: Array) -> float:
    """Pearson's, written out."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum()))


def small() -> tuple[nn.Module, Tensor]:
    """A smooth network in float64 whose BatchNorm ties the examples together, and five inputs."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)).double()
    return network, torch.randn(5, 4, dtype=torch.float64)


def test_jacob_cov_by_explicit_loops() -> None:
    """Correlations of finite differences, entry by entry; then −Σ log(λ + k) + 1/(λ + k)."""
    network, inputs = small()
    value = PROXIES["jacob_cov"](network, inputs[:3], torch.zeros(3, dtype=torch.long))
    rows = jacobian_by_loops(network.train(), inputs[:3])
    matrix = np.array([[correlation(a, b) for b in rows] for a in rows])
    eigenvalues = np.linalg.eigvals(matrix).real
    expected = -sum(math.log(each + 1e-5) + 1 / (each + 1e-5) for each in eigenvalues)
    assert value == pytest.approx(expected, rel=1e-3)


def test_epe_nas_by_explicit_loops() -> None:
    """Σ over classes of |Σ log(|correlation| + k)|; a class with one example is left out."""
    network, inputs = small()
    labels = torch.tensor([0, 1, 0, 1, 2])
    value = PROXIES["epe_nas"](network, inputs, labels)
    rows = jacobian_by_loops(network.train(), inputs)
    expected = 0.0
    for members in ([0, 2], [1, 3]):
        expected += abs(sum(math.log(abs(correlation(rows[i], rows[j])) + 1e-5) for i in members for j in members))
    assert value == pytest.approx(expected, rel=1e-3)


def test_epe_nas_of_many_classes_compares_pairs() -> None:
    """Above 100 classes: means over members, differences over ordered pairs, divided by the classes seen."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 101)).double()
    inputs, labels = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 0, 5, 5, 100, 100])
    value = PROXIES["epe_nas"](network, inputs, labels)
    rows = jacobian_by_loops(network, inputs)

    def evaluation(members: tuple[int, int]) -> float:
        return sum(math.log(abs(correlation(rows[i], rows[j])) + 1e-5) for i in members for j in members) / 2

    e = [evaluation(members) for members in ((0, 1), (2, 3), (4, 5))]
    expected = sum(abs(a - b) for a in e for b in e) / 3
    assert value == pytest.approx(expected, rel=1e-3)


def test_jacobians_of_tokens_are_those_of_their_embeddings() -> None:
    """Whole numbers have no gradient; the rows that stand for them have."""
    network, inputs, _ = make("transformer")
    network.eval()
    rows = network.embedding(inputs).detach().requires_grad_()
    network.head(network.body(rows + network.position).mean(1)).sum().backward()
    assert rows.grad is not None
    from netwright.evaluators.proxies.jacobian import jacobians

    assert jacobians(network, inputs) == pytest.approx(rows.grad.flatten(1).numpy(), abs=1e-6)


def test_ntk_by_the_explicit_jacobian() -> None:
    """κ of J Jᵀ, J one row at a time; the mean over the parts of the batch."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 9, bias=False), nn.Tanh(), nn.Linear(9, 3, bias=False)).double()
    inputs = torch.randn(8, 4, dtype=torch.float64)

    def condition(part: Tensor) -> float:
        rows = []
        for example in part:
            # Without BatchNorm an example's gradient is the same alone.
            found = torch.autograd.grad(network(example[None]).sum(), list(network.parameters()))
            rows.append(torch.cat([each.flatten() for each in found]))
        jacobian = torch.stack(rows)
        return float(torch.linalg.cond(jacobian @ jacobian.T))

    targets = torch.zeros(8)
    assert PROXIES["ntk"](network, inputs, targets) == pytest.approx(condition(inputs), rel=1e-6)
    expected = (condition(inputs[:4]) + condition(inputs[4:])) / 2
    assert PROXIES["ntk"](network, inputs, targets, batch=4) == pytest.approx(expected, rel=1e-6)


# --- patterns of activations


def test_agreements_of_a_known_code_matrix() -> None:
    """Columns on which two rows are alike, and the determinant of their table."""
    code = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 1]], dtype=torch.bool)
    expected = np.array([[4, 2, 0], [2, 4, 2], [0, 2, 4]])
    assert np.array_equal(agreements(code), expected)
    assert log_determinant(agreements(code)) == pytest.approx(math.log(32))


def test_naswot_of_two_examples_by_hand() -> None:
    """ReLU of ±x: units are on for one of two examples each, K = diag(3), log 9."""
    network = nn.Sequential(nn.Linear(1, 3, bias=False), nn.ReLU())
    nn.init.constant_(network[0].weight, 1.0)
    assert PROXIES["naswot"](network, torch.tensor([[1.0], [-1.0]]), torch.zeros(2)) == pytest.approx(math.log(9))


@pytest.mark.parametrize("kind", KINDS)
def test_naswot_and_swap_by_hooks_and_sets(kind: str) -> None:
    """From the signs at activation modules (and functions, written out), one example and one unit after another."""
    network, inputs, targets = make(kind)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    swap = PROXIES["swap"](network, inputs, targets)
    try:
        naswot = PROXIES["naswot"](network, inputs, targets)
    except ProxyFailed:
        naswot = -math.inf
    seen: list[Tensor] = []
    stream: list[Tensor] = []

    def into(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        seen.append(args[0].detach().clone())

    def out_of(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        seen.append(out.detach().clone())

    for module in network.modules():
        if isinstance(module, nn.ReLU | nn.GELU | nn.SiLU | nn.Tanh):
            module.register_forward_pre_hook(into)
        if isinstance(module, nn.TransformerEncoderLayer):
            module.linear1.register_forward_hook(out_of)
        if kind == "residual" and isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(out_of)
    if kind == "residual":
        # What goes into its last tanh is the stream after the last block.
        network.norms[2].register_forward_pre_hook(lambda module, args: stream.append(args[0].detach()))
        network.convs[2].register_forward_hook(lambda module, args, out: stream.append(out.detach()))
    network.train()(inputs)
    seen += [stream[0] + stream[1]] if stream else []
    code = np.concatenate([(value.flatten(1) > 0).numpy() for value in seen], axis=1)
    kernel = np.array([[float((a == b).sum()) for b in code] for a in code])
    alike = len({tuple(row) for row in code}) < len(code)
    assert naswot == pytest.approx(-math.inf if alike else np.linalg.slogdet(kernel)[1], rel=1e-9)
    assert swap == len({tuple(column) for column in code.T})


def test_activations_are_seen_however_they_are_called() -> None:
    """A module, a function, a method, and in place: the same codes."""
    x = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))

    class Calls(nn.Module):
        def __init__(self, call: object) -> None:
            super().__init__()
            self.scale, self.call = nn.Linear(1, 1), call

        def forward(self, x: Tensor) -> Tensor:
            return self.call(x * 1)  # type: ignore[operator,no-any-return]

    calls = (
        nn.ReLU(),
        functional.relu,
        torch.relu,
        Tensor.relu,
        lambda x: functional.relu(x, inplace=True),
        Tensor.relu_,
        nn.GELU(),
        functional.silu,
        torch.tanh,
        nn.Hardswish(),
        nn.PReLU(),
    )
    values = {PROXIES["naswot"](Calls(call), x, torch.zeros(6)) for call in calls}
    assert len(values) == 1


def test_swap_counts_different_columns() -> None:
    """Packed or not, the rows of a matrix are counted once."""
    rows = np.array([[1, 2], [3, 4], [1, 2], [0, 0]], dtype=np.uint8)
    assert {tuple(row) for row in distinct(rows).tolist()} == {(1, 2), (3, 4), (0, 0)}


def test_regularised_swap() -> None:
    """exp(−((params − mu)/sigma)²) times the score, also by the proxy itself."""
    assert regularised(100, 30, 10, 20) == pytest.approx(100 / math.e)
    network, inputs, targets = make("perceptron")
    params = sum(value.numel() for value in network.parameters())
    network[3].p = 0.0
    plain = PROXIES["swap"](network, inputs, targets)
    led = PROXIES["swap"](network, inputs, targets, mu=params - 50.0, sigma=50.0)
    assert led == pytest.approx(plain / math.e)


# --- features


def test_zen_with_known_variances() -> None:
    """A 1×1 convolution of one channel: the input's own variance and distance, by w = N(0, 1) drawn alike."""
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shape = (16, 1, 20, 20)
    value = PROXIES["zen"](network, torch.zeros(shape), torch.zeros(16), repeats=1)
    # conv scales by w, BatchNorm divides by w σ(x), and the variance term gives w σ(x) back: the distance is
    # ‖.01 ε‖ · w, and E‖ε‖ ≈ √400 for 400 numbers.
    weight = drawn_weight(shape)
    assert value == pytest.approx(math.log(0.01 * math.sqrt(400) * abs(weight)), abs=0.03)


def drawn_weight(shape: tuple[int, ...]) -> float:
    """The weight that zen's generator draws first for a 1×1 convolution, after its seed."""
    generator = torch.Generator().manual_seed(0)
    torch.randint(2**31, (1,), generator=generator)
    return float(torch.randn(1, 1, 1, 1, generator=generator))


def test_zen_grows_with_depth_and_not_with_batchnorm() -> None:
    """BatchNorm's scaling is given back: with and without it the expectation is about the same."""

    def stack(norm: bool) -> nn.Module:
        layers: list[nn.Module] = []
        for inputs in (3, 8, 8):
            layers += [nn.Conv2d(inputs, 8, 3, padding=1, bias=False), *([nn.BatchNorm2d(8)] if norm else [])]
        return nn.Sequential(*layers)

    x, y = torch.zeros(16, 3, 10, 10), torch.zeros(16)
    with_norm, without = (PROXIES["zen"](stack(norm), x, y, repeats=8) for norm in (True, False))
    assert with_norm == pytest.approx(without, abs=0.3)
    assert with_norm > PROXIES["zen"](stack(True)[:2], x, y, repeats=8) + 1


def test_zen_passes_a_dead_branch_by() -> None:
    """BatchNorm that is fed a constant scales nothing, and the rest of the network has its number."""

    class Dead(nn.Module):
        def __init__(self, branch: bool) -> None:
            super().__init__()
            self.live, self.branch = nn.Conv2d(3, 4, 3), branch
            self.dead = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
            self.out = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.out(self.live(x) + self.dead(x * 0) if self.branch else self.live(x))
            return out

    x, y = torch.zeros(4, 3, 8, 8), torch.zeros(4)
    values = [PROXIES["zen"](Dead(branch), x, y) for branch in (True, False)]
    assert values[0] == pytest.approx(values[1])


def test_meco_by_numpy() -> None:
    """The least eigenvalue of numpy's correlations for each map; a wrapped map counts once."""
    torch.manual_seed(0)
    conv, other = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 5, 3)
    network = nn.Sequential(nn.Sequential(nn.Sequential(conv)), nn.ReLU(), other, nn.Flatten())
    value = PROXIES["meco"](network, torch.zeros(3, 2, 12, 12), torch.zeros(3))
    generator = torch.Generator().manual_seed(0)
    torch.randint(2**31, (1,), generator=generator)
    x = torch.randn(1, 2, 12, 12, generator=generator)
    expected = 0.0
    for maps in (conv(x), conv(x).relu(), other(conv(x).relu())):
        expected += np.linalg.eigvalsh(np.corrcoef(maps[0].flatten(1).detach().numpy()))[0]
    assert value == pytest.approx(expected, abs=1e-5)


def test_meco_opt_of_few_channels_is_meco() -> None:
    """Where no map has more channels than are drawn, both are the same."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Conv2d(6, 7, 3))
    x, y = torch.zeros(1, 2, 16, 16), torch.zeros(1)
    assert PROXIES["meco_opt"](network, x, y) == pytest.approx(PROXIES["meco"](network, x, y), abs=1e-9)


def test_meco_opt_on_drawn_channels() -> None:
    """The channels that the generator draws, and the eigenvalue times the share of them."""
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 6, 3)
    value = PROXIES["meco_opt"](nn.Sequential(conv), torch.zeros(1, 2, 16, 16), torch.zeros(1), channels=3)
    generator = torch.Generator().manual_seed(0)
    torch.randint(2**31, (1,), generator=generator)
    maps = conv(torch.randn(1, 2, 16, 16, generator=generator))[0].flatten(1).detach().numpy()
    drawn = torch.randperm(6, generator=generator)[:3].numpy()
    assert value == pytest.approx(2 * np.linalg.eigvalsh(np.corrcoef(maps[drawn]))[0], abs=1e-5)


def test_blocks_of_a_sequence_end_after_norm_and_activation() -> None:
    """Convolution, BatchNorm and ReLU are one block; pooling and the classifier are none."""
    network, inputs, _ = make("sequence")
    x = inputs
    kept = []
    for place, layer in enumerate(network.train()):
        x = layer(x)
        kept += [x] if place in (2, 4) else []
    found = block_features(network, inputs)
    assert [tuple(each.shape) for each in found] == [(12, 6, 8, 8), (12, 8, 4, 4)]
    assert torch.allclose(found[1], kept[1])


def test_az_nas_components_by_numpy() -> None:
    """Entropies of the principal components' shares, their least growth, and −σ − 1/σ + 2 of a linear block."""
    torch.manual_seed(0)
    network = nn.Sequential(*[nn.Linear(5, 5) for _ in range(3)], nn.Linear(5, 2))
    inputs, targets = torch.zeros(400, 5), torch.zeros(400)
    generator = torch.Generator().manual_seed(0)
    torch.randint(2**31, (1,), generator=generator)
    weights = [math.sqrt(2 / 5) * torch.randn(5, 5, generator=generator) for _ in range(3)]
    torch.randn(2, 5, generator=generator)
    x = torch.randn(400, 5, generator=generator)
    features = []
    for weight in weights:
        x = x @ weight.T
        features.append(x.double().numpy())
    entropies = []
    for each in features:
        shares = np.linalg.svd(each - each.mean(0), compute_uv=False) ** 2
        shares /= shares.sum()
        entropies.append(-(shares * np.log(shares + 1e-8)).sum())
    assert PROXIES["az_expressivity"](network, inputs, targets) == pytest.approx(sum(entropies), rel=1e-4)
    assert PROXIES["az_progressivity"](network, inputs, targets) == pytest.approx(np.diff(entropies).min(), rel=1e-3)
    # E[signs signsᵀ] = 1, so that the mean of (Wᵀ s) sᵀ is about Wᵀ.
    sigmas = [float(torch.linalg.matrix_norm(weight, 2)) for weight in weights[1:]]
    expected = np.mean([-sigma - 1 / sigma + 2 for sigma in sigmas])
    assert PROXIES["az_trainability"](network, inputs, targets) == pytest.approx(expected, abs=0.15)


def test_rank_sum_by_hand() -> None:
    """log(rank/m) summed; ties share, and what failed ranks last."""
    score = rank_sum([[3.0, 1.0, 2.0], [math.nan, 5.0, 5.0]])
    shares = ((3 / 3, 1 / 3), (1 / 3, 2.5 / 3), (2 / 3, 2.5 / 3))
    expected = [math.log(one) + math.log(two) for one, two in shares]
    assert score == pytest.approx(expected)


def test_az_nas_puts_the_balanced_network_first() -> None:
    """Seventh of ten in everything beats the best of three components that is the worst of the fourth."""
    ranks = np.arange(1.0, 11.0)
    columns = dict.fromkeys(("az_expressivity", "az_progressivity", "az_trainability"), ranks)
    score = az_nas({**columns, "macs": np.array([10.0, 2, 3, 4, 5, 6, 7, 8, 9, 1])})
    assert score[6] > score[9]
