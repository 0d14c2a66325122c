"""Weight-sharing networks as the papers have them, written plainly: what a supernet of netwright is timed against.

Nothing here is clever: tensors are channels first, every operation has its own convolutions and BatchNorms, and a
mixture is the sum of all its weighted operations, the zero operation included. ``DartsSearch`` is the search network
of DARTS (Liu, Simonyan and Yang 2019, appendix A: BatchNorm without affine parameters, one behind each pooling), with
its step of both orders; ``CellSearch`` is that of NAS-Bench-201 (Dong and Yang 2020). ``same=True`` gives the DARTS
network the operations that netwright's space has: the layers of the paper's evaluation network, and no zero.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

OPERATIONS = ("none", "max", "avg", "skip", "sep3", "sep5", "dil3", "dil5")
CELL = ("none", "skip", "conv1", "conv3", "avg")


class Zero(nn.Module):
    """Nothing, in the shape of its outcome."""

    def __init__(self, stride=1):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


class FactorizedReduce(nn.Module):
    """Halves the resolution by two 1×1 convolutions, one of them shifted."""

    def __init__(self, inputs, outputs, affine):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs // 2, 1, 2, bias=False)
        self.second = nn.Conv2d(inputs, outputs // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, affine=affine)

    def forward(self, x):
        x = functional.relu(x)
        return self.norm(torch.cat([self.first(x), self.second(x[:, :, 1:, 1:])], 1))


def relu_conv_norm(inputs, outputs, kernel, affine, stride=1):
    """ReLU, convolution, BatchNorm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, affine=affine),
    )


def depthwise(channels, kernel, stride, dilation, affine):
    """ReLU, a depthwise and a 1×1 convolution, BatchNorm."""
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    )


def operation(name, channels, stride, same):
    """One of the eight operations of an edge."""
    affine = same
    if name == "none":
        return Zero(stride)
    if name in ("max", "avg"):
        pool = nn.MaxPool2d(3, stride, 1) if name == "max" else nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        return pool if same else nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False))
    if name == "skip":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
    kernel = int(name[-1])
    if name.startswith("dil"):
        return depthwise(channels, kernel, stride, 2, affine)
    return nn.Sequential(depthwise(channels, kernel, stride, 1, affine), depthwise(channels, kernel, 1, 1, affine))


class Mixture(nn.Module):
    """All operations of an edge, weighted."""

    def __init__(self, operations):
        super().__init__()
        self.operations = nn.ModuleList(operations)

    def forward(self, x, weights):
        return sum(weight * operation(x) for weight, operation in zip(weights, self.operations, strict=True))


class DartsCell(nn.Module):
    """Two inputs, four nodes, fourteen edges."""

    def __init__(self, before, last, channels, reduction, halved, same):
        super().__init__()
        self.before = FactorizedReduce(before, channels, same) if halved else relu_conv_norm(before, channels, 1, same)
        self.last = relu_conv_norm(last, channels, 1, same)
        names = OPERATIONS[1:] if same else OPERATIONS
        self.edges = nn.ModuleList(
            Mixture(operation(name, channels, 2 if reduction and j < 2 else 1, same) for name in names)
            for node in range(4)
            for j in range(2 + node)
        )

    def forward(self, before, last, rows):
        states, edge = [self.before(before), self.last(last)], 0
        for _ in range(4):
            states.append(sum(self.edges[edge + j](state, rows[edge + j]) for j, state in enumerate(states)))
            edge += len(states) - 1
        return torch.cat(states[2:], 1)


class DartsSearch(nn.Module):
    """The search network with its numbers, a row an edge for each kind of cell."""

    def __init__(self, channels=16, cells=5, classes=10, same=False):
        super().__init__()
        width = 3 * channels
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        before = last = width
        halved = False
        self.cells = nn.ModuleList()
        self.reductions = (cells // 3, 2 * cells // 3)
        for index in range(cells):
            reduction = index in self.reductions
            channels = 2 * channels if reduction else channels
            self.cells.append(DartsCell(before, last, channels, reduction, halved, same))
            before, last, halved = last, 4 * channels, reduction
        self.head = nn.Linear(last, classes)
        count = len(OPERATIONS) - same
        self.alphas = nn.ParameterList(nn.Parameter(1e-3 * torch.randn(14, count)) for _ in range(2))

    @property
    def weights(self):
        return [parameter for name, parameter in self.named_parameters() if not name.startswith("alphas")]

    def forward(self, x):
        before = last = self.stem(x)
        for index, cell in enumerate(self.cells):
            rows = functional.softmax(self.alphas[int(index in self.reductions)], dim=-1)
            before, last = last, cell(before, last, rows)
        return self.head(last.mean((2, 3)))


class Cell201(nn.Module):
    """Four nodes and six edges."""

    def __init__(self, channels):
        super().__init__()

        def edge(name):
            if name == "none":
                return Zero()
            if name == "skip":
                return nn.Identity()
            if name == "avg":
                return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
            return relu_conv_norm(channels, channels, int(name[-1]), True)

        self.edges = nn.ModuleList(Mixture(edge(name) for name in CELL) for _ in range(6))

    def forward(self, x, rows):
        """``rows`` are the weights of each edge, or the number of the one operation that runs there."""
        states, number = [x], 0
        for node in range(1, 4):
            parts = []
            for j in range(node):
                edge, row = self.edges[number + j], rows[number + j]
                parts.append(edge.operations[row](states[j]) if isinstance(row, int) else edge(states[j], row))
            number += node
            states.append(sum(parts))
        return states[-1]


class Reduction201(nn.Module):
    """The residual block between the stages."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_norm(inputs, outputs, 3, True, 2), relu_conv_norm(outputs, outputs, 3, True)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x):
        return self.shortcut(x) + self.body(x)


class CellSearch(nn.Module):
    """The supernet of NAS-Bench-201: a row of numbers for each of the six edges, which all cells share."""

    def __init__(self, channels=16, cells=5, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.layers = nn.ModuleList()
        for stage in range(3):
            width = channels << stage
            if stage:
                self.layers.append(Reduction201(width // 2, width))
            self.layers.extend(Cell201(width) for _ in range(cells))
        self.tail = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, classes)
        self.alphas = nn.ParameterList([nn.Parameter(1e-3 * torch.randn(6, len(CELL)))])

    @property
    def weights(self):
        return [parameter for name, parameter in self.named_parameters() if not name.startswith("alphas")]

    def forward(self, x, path=None):
        rows = functional.softmax(self.alphas[0], dim=-1) if path is None else path
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x, rows) if isinstance(layer, Cell201) else layer(x)
        return self.head(self.tail(x).mean((2, 3)))


class Darts:
    """Algorithm 1 of the paper on a search network: a step of the numbers, then one of the weights."""

    def __init__(self, network, order=1, lr=0.025, momentum=0.9, decay=3e-4):
        self.network, self.order, self.lr, self.momentum, self.decay = network, order, lr, momentum, decay
        self.weights, self.alphas = network.weights, list(network.alphas)
        self.optimizer = torch.optim.SGD(self.weights, lr, momentum=momentum, weight_decay=decay)
        self.numbers = torch.optim.Adam(self.alphas, 3e-4, betas=(0.5, 0.999), weight_decay=1e-3)

    def loss(self, batch):
        return functional.cross_entropy(self.network(batch[0]), batch[1])

    def step(self, train, valid):
        self.numbers.zero_grad()
        if self.order == 1:
            self.loss(valid).backward()
        else:
            self.second_order(train, valid)
        self.numbers.step()
        self.optimizer.zero_grad()
        loss = self.loss(train)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 5.0)
        self.optimizer.step()
        return loss.detach()

    def second_order(self, train, valid):
        """Equations 7 and 8, with the weights taken one step ahead and put back."""
        kept = [weight.detach().clone() for weight in self.weights]
        slopes = torch.autograd.grad(self.loss(train), self.weights)
        with torch.no_grad():
            for weight, slope in zip(self.weights, slopes, strict=True):
                buffer = self.optimizer.state.get(weight, {}).get("momentum_buffer")
                before = torch.zeros_like(weight) if buffer is None else self.momentum * buffer
                weight.sub_(self.lr * (before + slope + self.decay * weight))
        found = torch.autograd.grad(self.loss(valid), [*self.alphas, *self.weights])
        gradients, ahead = list(found[: len(self.alphas)]), found[len(self.alphas) :]
        epsilon = 0.01 / torch.cat([part.flatten() for part in ahead]).norm()
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for weight, before, part in zip(self.weights, kept, ahead, strict=True):
                    weight.copy_(before + sign * epsilon * part)
            sides.append(torch.autograd.grad(self.loss(train), self.alphas))
        with torch.no_grad():
            for weight, before in zip(self.weights, kept, strict=True):
                weight.copy_(before)
            for alpha, gradient, plus, minus in zip(self.alphas, gradients, *sides, strict=True):
                alpha.grad = gradient - self.lr * (plus - minus) / (2 * epsilon)
