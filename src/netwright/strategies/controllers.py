"""Policies over the decisions of a space, in NumPy: an autoregressive LSTM, and one categorical a decision.

:class:`Steps` writes a space as a sequence of softmaxes, and an architecture as what each of them answered; a policy
gives their probabilities and, by hand-written back-propagation, the gradient of whatever follows from them.

Networks this small spend their time in overhead, not in arithmetic: torch takes about four times as long for the same
forward and backward pass.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Answer, Architecture
from netwright.errors import ArchitectureError, InfeasibleError, SpaceError
from netwright.space import Decision, SearchSpace
from netwright.space.conditions import asked

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = 16
"""A range without end, or of more than :data:`LARGEST` values, is a choice of so many bins."""

LARGEST = 64
"""A softmax has at most so many options; a longer list is answered digit by digit."""

REFUSED = 50
"""Architectures that the rules of a space may refuse in a row before ``SearchSpace.complete`` decides."""


@dataclass(frozen=True)
class Walk:
    """What the softmaxes answered on the way to an architecture.

    ``slots`` are the softmaxes that were asked, in order; ``actions`` their answers; ``opens`` how many of each one's
    options were open (the first ones; fewer than all only in the last digit of a long list).
    """

    slots: tuple[int, ...]
    actions: tuple[int, ...]
    opens: tuple[int, ...]


@final
class Steps:
    """The decisions of a space as a sequence of softmaxes, the slots.

    A decision is asked when its conditions hold, in the order of the space. One with up to 64 values is one slot. A
    range with more, or without end, is one slot of 16 bins of equal width (in the logarithm where ``log``), and the
    value is drawn uniformly inside the bin: the policy learns of a range at that grain. Any other longer list of
    options (of ``inputs``: the ascending tuples) is answered by the digits of the position in it, the most significant
    first, each a slot. A decision with a single value is no slot.
    """

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self.sizes: list[int] = []
        self.asks: list[Decision] = []
        """The decision that each slot is about."""
        self._plans: list[_Plan] = []
        for decision in decisions:
            plan = _plan(decision, len(self.sizes))
            self.sizes += plan.sizes
            self.asks += [decision] * len(plan.sizes)
            self._plans.append(plan)
        self.offsets = [0, *accumulate(self.sizes)][:-1]
        self.total = sum(self.sizes)
        self.widest = max(self.sizes, default=1)

    def draw(self, reader: Reader, rng: np.random.Generator) -> Architecture:
        """Asks the slots one after the other; ``reader`` gives their probabilities."""
        numbers = iter(rng.random(len(self.sizes) + len(self._plans)).tolist())
        answers: dict[str, Answer] = {}
        for plan in self._plans:
            decision = plan.decision
            if decision.conditions and not asked(decision, answers):
                continue
            digits: list[int] = []
            for place in range(len(plan.sizes)):
                slot, open_ = plan.first + place, plan.open(digits)
                running = reader.probabilities(slot, open_).cumsum().tolist()
                action = min(bisect_right(running, next(numbers) * running[-1]), open_ - 1)
                reader.took(slot, action)
                digits.append(action)
            answers[decision.name] = plan.value(digits, next(numbers))
        return Architecture(answers)

    def walk(self, architecture: Mapping[str, Answer]) -> Walk:
        """The walk that leads to an architecture of the space; of a value in a range, to its bin."""
        slots: list[int] = []
        actions: list[int] = []
        opens: list[int] = []
        for plan in self._plans:
            name = plan.decision.name
            if not plan.sizes or name not in architecture:
                continue
            digits = plan.digits(architecture[name])
            for place, action in enumerate(digits):
                slots.append(plan.first + place)
                actions.append(action)
                opens.append(plan.open(digits[:place]))
        return Walk(tuple(slots), tuple(actions), tuple(opens))


@final
class _Plan:
    """A decision as slots: ``sizes`` of them from ``first`` on."""

    def __init__(self, decision: Decision, first: int, sizes: list[int], edges: list[float] | None = None) -> None:
        self.decision = decision
        self.first = first
        self.sizes = sizes
        self._edges = edges  # of the bins: values of a continuous range, positions in any other
        self._length = 1 if decision.continuous else int(decision.cardinality)
        self._weights = [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]

    def open(self, digits: Sequence[int]) -> int:
        """How many options the next slot has after these digits."""
        size = self.sizes[len(digits)]
        if len(self.sizes) == 1:
            return size
        before = sum(digit * weight for digit, weight in zip(digits, self._weights, strict=False))
        return min(size, -(-(self._length - before) // self._weights[len(digits)]))

    def value(self, digits: Sequence[int], u: float) -> Answer:
        decision = self.decision
        if self._edges is None:
            return decision.value(sum(digit * weight for digit, weight in zip(digits, self._weights, strict=True)))
        low, high = self._edges[digits[0]], self._edges[digits[0] + 1]
        if not decision.continuous:
            return decision.value(min(int(low + u * (high - low)), int(high) - 1))
        if decision.log:
            drawn = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        else:
            drawn = low + u * (high - low)
        return min(self._edges[-1], max(self._edges[0], drawn))

    def digits(self, value: Answer) -> list[int]:
        position = self.decision.position(value)
        assert position is not None
        if self._edges is not None:
            where = value if self.decision.continuous else position
            return [min(max(bisect_right(self._edges, where) - 1, 0), self.sizes[0] - 1)]
        found = []
        for weight in self._weights:
            digit, position = divmod(position, weight)
            found.append(digit)
        return found


def _plan(decision: Decision, first: int) -> _Plan:
    if decision.cardinality == 1 or (decision.continuous and decision.low == decision.high):
        return _Plan(decision, first, [])
    if decision.cardinality <= LARGEST:
        return _Plan(decision, first, [int(decision.cardinality)])
    if decision.kind == "range":
        edges = _edges(decision)
        return _Plan(decision, first, [len(edges) - 1], edges)
    count = int(decision.cardinality)
    places = math.ceil(math.log(count) / math.log(LARGEST) - 1e-9)
    base = math.ceil(count ** (1 / places) - 1e-9)
    return _Plan(decision, first, [-(-count // base ** (places - 1)), *[base] * (places - 1)])


def _edges(decision: Decision) -> list[float]:
    """The bounds of the bins: values of a continuous range, positions of a stepped one (no bin is empty)."""
    assert decision.low is not None
    assert decision.high is not None
    low, high = float(decision.low), float(decision.high)
    fractions = [index / BINS for index in range(BINS + 1)]
    if decision.continuous:
        if decision.log:
            span = math.log(high) - math.log(low)
            inner = [math.exp(math.log(low) + span * fraction) for fraction in fractions[1:-1]]
        else:
            inner = [low + (high - low) * fraction for fraction in fractions[1:-1]]
        return [low, *inner, high]
    count = int(decision.cardinality)
    if not decision.log:
        return [float(round(count * fraction)) for fraction in fractions]
    step = float(decision.step or 1)
    start, end = math.log(max(low - step / 2, low / 2)), math.log(high + step / 2)
    borders = [math.ceil((math.exp(start + (end - start) * f) - low) / step) for f in fractions[1:-1]]
    return [float(border) for border in sorted({0, count, *(b for b in borders if 0 < b < count)})]


@final
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) over one flat vector, which it changes in place."""

    def __init__(self, size: int, lr: float, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8) -> None:
        self.lr = lr
        self._betas = betas
        self._epsilon = epsilon
        self._mean = np.zeros(size)
        self._square = np.zeros(size)
        self._steps = 0

    def step(self, theta: Floats, gradient: Floats) -> None:
        """One step against ``gradient``."""
        first, second = self._betas
        self._steps += 1
        self._mean *= first
        self._mean += (1 - first) * gradient
        self._square *= second
        gradient = gradient * gradient
        gradient *= 1 - second
        self._square += gradient
        size = np.sqrt(self._square)
        size *= 1 / math.sqrt(1 - second**self._steps)
        size += self._epsilon
        np.divide(self._mean, size, out=size)
        size *= self.lr / (1 - first**self._steps)
        theta -= size


@final
class Baseline:
    """The exponential moving average of the rewards, free of the bias of its start."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._sum = 0.0
        self._weight = 0.0

    @property
    def value(self) -> float:
        return self._sum / self._weight if self._weight else 0.0

    def advantage(self, reward: float) -> float:
        """Takes the reward in, and answers by how much it is above the average.

        That the average holds the reward itself makes the answer smaller by a factor that depends on nothing but how
        many there were, so the gradient stays unbiased but for its length.
        """
        self._sum = self._decay * self._sum + (1 - self._decay) * reward
        self._weight = self._decay * self._weight + (1 - self._decay)
        return reward - self.value


class Reader(ABC):
    """One walk through a policy, slot after slot."""

    @abstractmethod
    def probabilities(self, slot: int, open_: int) -> Floats:
        """Of the first ``open_`` options of the slot."""

    def took(self, slot: int, action: int) -> None:  # noqa: B027 - an independent policy does not remember
        """What the slot answered."""


@dataclass
class Pass:
    """A forward pass over B walks through the same T slots. Options beyond a slot's own have probability 0.

    ``probabilities`` is (T, B, options), ``log_probabilities`` of the actions (T, B), ``entropies`` (T, B) in nats.
    """

    slots: tuple[int, ...]
    actions: Integers
    probabilities: Floats
    log_probabilities: Floats
    entropies: Floats
    memory: Any


class Policy(ABC):
    """A distribution over the walks through a space; ``theta`` holds all its parameters and is changed in place."""

    def __init__(self, steps: Steps, size: int) -> None:
        self.steps = steps
        self.theta: Floats = np.zeros(size)
        self._places: tuple[tuple[int, ...], Integers, NDArray[np.bool_]] | None = None

    @abstractmethod
    def reader(self) -> Reader:
        """Begins a walk."""

    @abstractmethod
    def _logits(self, slots: tuple[int, ...], rows: Integers, actions: Integers) -> tuple[Floats, Any]:
        """Of every option (T, B, options), and what :meth:`_backward` wants to know again."""

    @abstractmethod
    def _backward(self, rows: Integers, valid: NDArray[np.bool_], dlogits: Floats, memory: Any) -> Floats:
        """The gradient by ``theta``, given the one by the logits."""

    def forward(self, walks: Sequence[Walk]) -> Pass:
        """Of walks that asked the same slots."""
        slots = walks[0].slots
        rows, _ = self._options(slots)
        actions = np.array([walk.actions for walk in walks], dtype=np.int64).T
        opens = np.array([walk.opens for walk in walks], dtype=np.int64).T
        logits, memory = self._logits(slots, rows, actions)
        closed = np.arange(rows.shape[1]) >= opens[:, :, None]
        logits[closed] = -np.inf
        logits -= logits.max(axis=2, keepdims=True)
        probabilities = np.exp(logits)
        total = probabilities.sum(axis=2, keepdims=True)
        probabilities /= total
        logits -= np.log(total)
        chosen = np.take_along_axis(logits, actions[:, :, None], axis=2)[:, :, 0]
        logits[closed] = 0.0
        entropies = -(probabilities * logits).sum(axis=2)
        return Pass(slots, actions, probabilities, chosen, entropies, (logits, memory))

    def gradient(
        self, done: Pass, by_log_probability: Floats, by_entropy: float = 0.0, by_logits: Floats | None = None
    ) -> Floats:
        """The gradient by ``theta`` of Σ ``by_log_probability`` · log π + ``by_entropy`` · Σ entropy.

        ``by_log_probability`` is (T, B), or (B,) for all the slots of a walk. ``by_logits`` (T, B, options) is the
        gradient of whatever else follows from the probabilities.
        """
        rows, valid = self._options(done.slots)
        weights = np.broadcast_to(by_log_probability, done.log_probabilities.shape)[:, :, None]
        dlogits = -weights * done.probabilities
        picked = np.take_along_axis(dlogits, done.actions[:, :, None], axis=2)
        np.put_along_axis(dlogits, done.actions[:, :, None], picked + weights, axis=2)
        logs, memory = done.memory
        if by_entropy:
            dlogits -= by_entropy * done.probabilities * (logs + done.entropies[:, :, None])
        if by_logits is not None:
            dlogits += by_logits
        return self._backward(rows, valid, dlogits, memory)

    def _options(self, slots: tuple[int, ...]) -> tuple[Integers, NDArray[np.bool_]]:
        """The rows of every option of the slots (T, options) in the tables, and which of them are theirs."""
        if self._places is None or self._places[0] != slots:
            sizes = np.array([self.steps.sizes[slot] for slot in slots])
            offsets = np.array([self.steps.offsets[slot] for slot in slots])
            place = np.arange(sizes.max())
            self._places = slots, offsets[:, None] + np.minimum(place, sizes[:, None] - 1), place < sizes[:, None]
        return self._places[1], self._places[2]


def softmax(logits: Floats) -> Floats:
    """The probabilities of the options of one slot."""
    exponentials: Floats = np.exp(logits - logits.max())
    exponentials /= exponentials.sum()
    return exponentials


@final
class Independent(Policy):
    """A categorical distribution a slot, which knows nothing of the others: the policy of NAS-Bench-201's REINFORCE.

    Its logits begin at ``scale`` times a standard normal.
    """

    def __init__(self, steps: Steps, rng: np.random.Generator, scale: float = 1e-3) -> None:
        super().__init__(steps, steps.total)
        self.theta[:] = scale * rng.standard_normal(steps.total)

    def reader(self) -> Reader:
        return _IndependentReader(self)

    def _logits(self, slots: tuple[int, ...], rows: Integers, actions: Integers) -> tuple[Floats, Any]:
        return np.repeat(self.theta[rows][:, None, :], actions.shape[1], axis=1), None

    def _backward(self, rows: Integers, valid: NDArray[np.bool_], dlogits: Floats, memory: Any) -> Floats:
        gradient = np.zeros_like(self.theta)
        gradient[rows[valid]] = dlogits.sum(axis=1)[valid]
        return gradient


@final
class _IndependentReader(Reader):
    def __init__(self, policy: Independent) -> None:
        self._policy = policy

    def probabilities(self, slot: int, open_: int) -> Floats:
        begin = self._policy.steps.offsets[slot]
        return softmax(self._policy.theta[begin : begin + open_])


@final
class Autoregressive(Policy):
    """An LSTM that reads its own answers: Zoph and Le 2017, section 3.1, without the anchor points.

    At each slot the LSTM (``layers`` of ``hidden`` units; gates in torch's order: input, forget, cell, output) reads
    the embedding of the answer before (of the start, at first), and a softmax of the slot's own reads its last layer.
    All parameters begin uniform in ±``init``. ``bounds`` has a number for each slot: its logits are that times their
    hyperbolic tangent, which keeps a young policy from being sure (Bello et al. 2017; ENAS, Pham et al. 2018).
    ``bias`` (a number for each option of all slots) is added after that and never learnt.
    """

    def __init__(
        self,
        steps: Steps,
        rng: np.random.Generator,
        hidden: int,
        layers: int,
        init: float,
        bounds: Sequence[float] | None = None,
        bias: Floats | None = None,
    ) -> None:
        sizes = [4 * hidden * hidden, 4 * hidden * hidden, 4 * hidden] * layers
        sizes += [(steps.total + 1) * hidden, steps.total * hidden, steps.total]
        super().__init__(steps, sum(sizes))
        self.theta[:] = rng.uniform(-init, init, len(self.theta))
        self.hidden = hidden
        self.layers = layers
        self.bounds: Floats | None = None if bounds is None else np.asarray(bounds, dtype=np.float64)
        self.bias = bias
        self._cuts = [0, *accumulate(sizes)]
        self._views = self._split(self.theta)
        # A sigmoid is a stretched tanh, so one call makes all four gates.
        self._scale = np.full(4 * hidden, 0.5)
        self._scale[2 * hidden : 3 * hidden] = 1.0
        self._shift = np.full(4 * hidden, 0.5)
        self._shift[2 * hidden : 3 * hidden] = 0.0

    def weights(self) -> dict[str, Floats]:
        """Views of the parameters, with torch's names for those of the LSTM."""
        names = [f"{kind}_l{layer}" for layer in range(self.layers) for kind in ("weight_ih", "weight_hh", "bias")]
        return dict(zip([*names, "embedding", "head", "head_bias"], self._views, strict=True))

    def reader(self) -> Reader:
        return _AutoregressiveReader(self)

    def _split(self, vector: Floats) -> list[Floats]:
        hidden = self.hidden
        shapes: list[tuple[int, ...]] = [(4 * hidden, hidden), (4 * hidden, hidden), (4 * hidden,)] * self.layers
        shapes += [(self.steps.total + 1, hidden), (self.steps.total, hidden), (self.steps.total,)]
        pairs = zip(self._cuts, self._cuts[1:], shapes, strict=False)
        return [vector[begin:end].reshape(shape) for begin, end, shape in pairs]

    def _logits(self, slots: tuple[int, ...], rows: Integers, actions: Integers) -> tuple[Floats, Any]:
        embedding, head, bias = self._views[-3:]
        read = np.empty_like(actions)
        read[0] = self.steps.total  # the row of the start
        read[1:] = rows[np.arange(len(slots) - 1)[:, None], actions[:-1]]
        x: Floats = embedding[read]
        caches = []
        for layer in range(self.layers):
            x, cache = self._layer_forward(layer, x)
            caches.append(cache)
        heads = head[rows]
        logits = np.matmul(x, heads.transpose(0, 2, 1)) + bias[rows][:, None, :]
        slopes: Floats | None = None
        if self.bounds is not None:
            bounds, squashed = self.bounds[list(slots), None, None], np.tanh(logits)
            logits, slopes = bounds * squashed, bounds * (1.0 - squashed * squashed)
        if self.bias is not None:
            logits = logits + self.bias[rows][:, None, :]
        return logits, (read, caches, x, heads, slopes)

    def _backward(self, rows: Integers, valid: NDArray[np.bool_], dlogits: Floats, memory: Any) -> Floats:
        read, caches, top, heads, slopes = memory
        if slopes is not None:
            dlogits = dlogits * slopes
        gradient = np.empty_like(self.theta)
        views = self._split(gradient)
        gradient[self._cuts[-4] :] = 0.0
        views[-2][rows[valid]] = np.matmul(dlogits.transpose(0, 2, 1), top)[valid]
        views[-1][rows[valid]] = dlogits.sum(axis=1)[valid]
        dx: Floats = np.matmul(dlogits, heads)
        for layer in reversed(range(self.layers)):
            dx = self._layer_backward(layer, dx, caches[layer], views)
        np.add.at(views[-3], read, dx)
        return gradient

    def _layer_forward(self, layer: int, x: Floats) -> tuple[Floats, Any]:
        hidden = self.hidden
        of_input, of_state, bias = self._views[3 * layer : 3 * layer + 3]
        turned = of_state.T
        z = x @ of_input.T
        z += bias
        gates = np.empty_like(z)
        cells = np.empty(x.shape)
        squashed = np.empty(x.shape)
        outputs = np.empty(x.shape)
        scale, shift = self._scale, self._shift
        for t in range(len(x)):
            gate = gates[t]
            if t:
                np.add(z[t], outputs[t - 1] @ turned, out=gate)
                gate *= scale
            else:
                np.multiply(z[0], scale, out=gate)
            np.tanh(gate, out=gate)
            gate *= scale
            gate += shift
            cell = cells[t]
            np.multiply(gate[:, :hidden], gate[:, 2 * hidden : 3 * hidden], out=cell)
            if t:
                cell += gate[:, hidden : 2 * hidden] * cells[t - 1]
            np.tanh(cell, out=squashed[t])
            np.multiply(gate[:, 3 * hidden :], squashed[t], out=outputs[t])
        return outputs, (x, gates, cells, squashed, outputs)

    def _layer_backward(self, layer: int, dout: Floats, cache: Any, views: list[Floats]) -> Floats:
        hidden = self.hidden
        x, gates, cells, squashed, outputs = cache
        of_input, of_state, _ = self._views[3 * layer : 3 * layer + 3]
        cell_gate = gates[:, :, 2 * hidden : 3 * hidden]
        slopes = gates * (1.0 - gates)
        np.multiply(cell_gate, -cell_gate, out=slopes[:, :, 2 * hidden : 3 * hidden])
        slopes[:, :, 2 * hidden : 3 * hidden] += 1.0
        # What multiplies the gradient of the cell (input, forget, cell gates) and of the output (output gate).
        factors = np.empty_like(gates)
        factors[:, :, :hidden] = cell_gate
        factors[0, :, hidden : 2 * hidden] = 0.0
        factors[1:, :, hidden : 2 * hidden] = cells[:-1]
        factors[:, :, 2 * hidden : 3 * hidden] = gates[:, :, :hidden]
        factors[:, :, 3 * hidden :] = squashed
        factors *= slopes
        through = gates[:, :, 3 * hidden :] * (1.0 - squashed * squashed)
        forget = gates[:, :, hidden : 2 * hidden]
        dz = factors
        carried: Floats | None = None
        dcell: Floats
        for t in range(len(x) - 1, -1, -1):
            dh = dout[t] if carried is None else dout[t] + dz[t + 1] @ of_state
            dcell = dh * through[t]
            if carried is not None:
                dcell += carried
            blocks = dz[t].reshape(len(dh), 4, hidden)
            blocks[:, :3] *= dcell[:, None, :]
            blocks[:, 3] *= dh
            carried = dcell * forget[t]
        flat = dz.reshape(-1, 4 * hidden)
        np.matmul(flat.T, x.reshape(-1, hidden), out=views[3 * layer])
        if len(x) > 1:
            later = dz[1:].reshape(-1, 4 * hidden)
            np.matmul(later.T, outputs[:-1].reshape(-1, hidden), out=views[3 * layer + 1])
        else:
            views[3 * layer + 1][:] = 0.0
        np.sum(flat, axis=0, out=views[3 * layer + 2])
        dx: Floats = dz @ of_input
        return dx


@final
class _AutoregressiveReader(Reader):
    def __init__(self, policy: Autoregressive) -> None:
        self._policy = policy
        self._h = [np.zeros(policy.hidden)] * policy.layers
        self._c = [np.zeros(policy.hidden)] * policy.layers
        self._row = policy.steps.total

    def probabilities(self, slot: int, open_: int) -> Floats:
        policy, hidden = self._policy, self._policy.hidden
        views = policy._views
        x: Floats = views[-3][self._row]
        for layer in range(policy.layers):
            of_input, of_state, bias = views[3 * layer : 3 * layer + 3]
            gate = of_input @ x
            gate += of_state @ self._h[layer]
            gate += bias
            gate *= policy._scale
            np.tanh(gate, out=gate)
            gate *= policy._scale
            gate += policy._shift
            cell = gate[hidden : 2 * hidden] * self._c[layer]
            cell += gate[:hidden] * gate[2 * hidden : 3 * hidden]
            self._c[layer] = cell
            self._h[layer] = x = gate[3 * hidden :] * np.tanh(cell)
        begin = policy.steps.offsets[slot]
        logits: Floats = views[-2][begin : begin + open_] @ x + views[-1][begin : begin + open_]
        if policy.bounds is not None:
            logits = policy.bounds[slot] * np.tanh(logits)
        return softmax(logits if policy.bias is None else logits + policy.bias[begin : begin + open_])

    def took(self, slot: int, action: int) -> None:
        self._row = self._policy.steps.offsets[slot] + action


Controller = Literal["lstm", "independent"]


def propose(policy: Policy, space: SearchSpace, rng: np.random.Generator) -> Architecture:
    """An architecture drawn from the policy that the rules of the space accept.

    What they refuse is drawn again. After :data:`REFUSED` draws in a row the first half of the last one's answers is
    kept and ``space.complete`` draws the rest, then all of it. So the walk of what is proposed may have another
    probability than the policy gives it; learning takes the policy's own.
    """
    for _ in range(REFUSED):
        architecture = policy.steps.draw(policy.reader(), rng)
        if architecture in space:
            return architecture
    names = list(architecture)
    try:
        return space.complete({name: architecture[name] for name in names[: len(names) // 2]}, rng)
    except (ArchitectureError, InfeasibleError, SpaceError):
        return space.sample(rng)
