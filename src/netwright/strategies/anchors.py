"""Connections chosen by attention to anchors: the controller of ENAS (Pham et al. 2018), in NumPy.

An anchor is what the LSTM had in mind when an earlier node was complete. A connection is then no number of a table of
its own, but one of the states that there are: ``vᵀ tanh(W₁ · anchor + W₂ · h)`` says how much each is wanted.

Which anchor a candidate of a connection has is read off the names:

* The *place* of a decision is its name up to the last part that ends in a number: ``normal.node3.left`` is of the place
  ``normal.node3``, and so is ``normal.node3.left.operation``. Places whose names differ in that number alone are nodes
  of one graph.
* The anchor of a place is the last layer of the LSTM one step after its decisions: where the first of them that stand
  in a row in the space end.
* States are listed in the order in which they are made: the last candidates of a decision by ``inputs`` are the places
  of its graph before it, in the order of the space. Those before them, such as the inputs of a cell, no decision made;
  each has an anchor that is learnt.
* A decision of two options of which one is named ``none`` or ``zero``, at a name such as ``layer5.skip2``, is a
  *switch*: skip 2 of the place ``layer5``. Those that stand in a row are one set of connections, each of which is on
  or off, and their candidates are found as above.

A decision by ``inputs`` has a plain softmax where this says nothing: its name has no number, its graph never has a
place before, or its list of tuples is longer than a softmax.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.space import Decision
from netwright.strategies.controllers import Floats, Integers, Pass, Policy, Reader, Steps, softmax
from netwright.supernet.joining import ZEROS

_NUMBERED = re.compile(r"(.*?)(\d+)")


@final
@dataclass(frozen=True)
class Place:
    """A node whose anchor somebody may want: its first slot, and the last before the anchor is taken."""

    name: str
    first: int
    last: int


@final
@dataclass(frozen=True)
class Choice:
    """A slot that is answered by attention.

    ``sources`` are the rows of the candidates' anchors in the bank. ``picks`` (options, candidates) says with 1 which
    candidates each option takes; of a switch, whose single candidate is on or off, with 1 and −1. ``group`` is the
    number of the set of a switch, −1 for ``inputs``.
    """

    sources: Integers
    picks: Floats
    group: int

    def reads(self, action: int) -> Floats:
        """What each candidate counts for when the answer is read, before the division of :meth:`Anchors.read`."""
        found: Floats = np.maximum(self.picks[action], 0.0)
        return found


@final
class Anchors:
    """Which slots are answered by attention, and to what; read off the names of the decisions.

    The bank of anchors has ``free`` rows that are learnt, then one for each of ``places``. ``choices`` is None at a
    slot with a plain softmax.
    """

    def __init__(self, decisions: Sequence[Decision], steps: Steps) -> None:
        slots: dict[int, list[int]] = {place: [] for place in range(len(decisions))}
        numbers = {decision.name: place for place, decision in enumerate(decisions)}
        for slot, decision in enumerate(steps.asks):
            slots[numbers[decision.name]].append(slot)
        sets = _sets(decisions)
        graphs: dict[str, list[_Node]] = {}
        for node in _nodes(decisions):
            held = [slot for place in range(node.begin, node.end) for slot in slots[place]]
            if held:
                graphs.setdefault(node.graph, []).append(
                    _Node(node.name, node.graph, node.begin, node.end, held[0], held[-1])
                )
        wanted: list[tuple[int, str, int, list[str], int, int]] = []  # slot, graph, count, nodes before, index, set
        for place, decision in enumerate(decisions):
            if len(slots[place]) != 1:
                continue
            if decision.kind == "inputs":
                name, index, number, count = _place(decision.name), -1, -1, decision.count or 0
            elif place in sets:
                name, index, number, count = sets[place]
            else:
                continue
            if name is None:
                continue
            graph = _graph(name)
            before = [node.name for node in graphs.get(graph, []) if node.end <= place and node.name != name]
            wanted.append((slots[place][0], graph, count, before[-count:], index, number))
        useful = {graph for _, graph, _, before, _, _ in wanted if before}
        wanted = [each for each in wanted if each[1] in useful]
        named = {name for _, _, _, before, _, _ in wanted for name in before}
        known = [node for graph in useful for node in graphs[graph] if node.name in named]
        known.sort(key=lambda node: (node.last, -node.first))
        self.places: list[Place] = [Place(node.name, node.first, node.last) for node in known]
        rows = {place.name: row for row, place in enumerate(self.places)}
        learnt: dict[tuple[str, int], int] = {}
        self.choices: list[Choice | None] = [None] * len(steps.sizes)
        found: list[tuple[int, Decision, list[tuple[str, int] | str], int]] = []
        for slot, graph, count, before, index, number in wanted:
            made = count - len(before)
            sources: list[tuple[str, int] | str] = [*((graph, place) for place in range(made)), *before]
            if index >= 0:
                sources = sources[index : index + 1]
            for source in sources:
                if isinstance(source, tuple):
                    learnt.setdefault(source, len(learnt))
            found.append((slot, steps.asks[slot], sources, number))
        self.free = len(learnt)
        for slot, decision, sources, number in found:
            where = [learnt[s] if isinstance(s, tuple) else self.free + rows[s] for s in sources]
            self.choices[slot] = Choice(np.array(where), _picks(decision), number)

    @property
    def empty(self) -> bool:
        """Whether no slot is answered by attention."""
        return not any(choice is not None for choice in self.choices)

    @property
    def rows(self) -> int:
        """The size of the bank."""
        return self.free + len(self.places)

    def ended(self, before: int, slot: int) -> list[int]:
        """The rows of the places that end between two slots that are asked one after the other, in their order."""
        return [self.free + row for row, place in enumerate(self.places) if place.first <= before <= place.last < slot]

    def together(self, before: int, slot: int) -> bool:
        """Whether both slots are switches of one set, which are answered in one step of the LSTM."""
        one, other = self.choices[before], self.choices[slot]
        return one is not None and other is not None and one.group >= 0 and one.group == other.group

    def read(self, slots: Sequence[int], actions: Integers) -> Floats:
        """What each anchor counts for in what the LSTM reads after the answers (slots, B) of one step: (B, bank).

        It is the mean of the anchors that ``inputs`` picked. Of a set of switches it is their sum over one more than
        their number, as published.
        """
        counts = np.zeros((actions.shape[1], self.rows))
        for slot, answers in zip(slots, actions, strict=True):
            choice = self.choices[slot]
            assert choice is not None
            for walk, answer in enumerate(answers.tolist()):
                counts[walk, choice.sources] += choice.reads(answer)
        first = self.choices[slots[0]]
        assert first is not None
        counts /= counts.sum(1, keepdims=True) + (first.group >= 0)
        return counts


def switches(decisions: Sequence[Decision], steps: Steps) -> dict[int, tuple[int, int]]:
    """The slots of switches: the number of their set, and which of their two options is on."""
    sets = _sets(decisions)
    names = {decisions[place].name: number for place, (_, _, number, _) in sets.items()}
    return {
        slot: (names[decision.name], int(_picks(decision)[1, 0] > 0))
        for slot, decision in enumerate(steps.asks)
        if decision.name in names
    }


@final
@dataclass(frozen=True)
class _Node:
    """A place: the range of its first decisions in a row, and of their slots."""

    name: str
    graph: str
    begin: int
    end: int
    first: int = 0
    last: int = 0


def _places(name: str) -> list[str]:
    """All beginnings of a name whose last part ends in a number, the longest last."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end, part in enumerate(parts) if _NUMBERED.fullmatch(part)]


def _place(name: str) -> str | None:
    places = _places(name)
    return places[-1] if places else None


def _graph(place: str) -> str:
    """The name of a place without its number."""
    found = _NUMBERED.fullmatch(place.rpartition(".")[2])
    assert found is not None
    return place[: len(place) - len(found[2])]


def _nodes(decisions: Sequence[Decision]) -> list[_Node]:
    """All places, with the range of the first decisions in a row that are theirs, by where they end."""
    found: dict[str, tuple[int, int]] = {}
    for number, decision in enumerate(decisions):
        for place in _places(decision.name):
            begin, end = found.get(place, (number, number))
            if end == number:
                found[place] = begin, number + 1
    nodes = [_Node(name, _graph(name), begin, end) for name, (begin, end) in found.items()]
    return sorted(nodes, key=lambda node: node.end)


def _sets(decisions: Sequence[Decision]) -> dict[int, tuple[str, int, int, int]]:
    """Of each switch, by the number of its decision: the place, its index in its set, the set, and the set's size."""
    runs: list[list[int]] = []
    last: tuple[str, str] | None = None
    for number, decision in enumerate(decisions):
        key = _switch(decision)
        if key is not None and key == last:
            runs[-1].append(number)
        elif key is not None:
            runs.append([number])
        last = key
    found: dict[int, tuple[str, int, int, int]] = {}
    for which, run in enumerate(runs):
        key = _switch(decisions[run[0]])
        assert key is not None
        found |= {number: (key[0], index, which, len(run)) for index, number in enumerate(run)}
    return found


def _switch(decision: Decision) -> tuple[str, str] | None:
    """The place and the name without its number of what is on or off; None for any other decision."""
    if decision.kind != "one_of" or decision.options is None or len(decision.options) != 2:
        return None
    places = _places(decision.name)
    if len({*decision.options} & ZEROS) != 1 or len(places) < 2 or places[-1] != decision.name:
        return None
    return places[-2], _graph(places[-1])


def _picks(decision: Decision) -> Floats:
    assert decision.options is not None
    if decision.kind != "inputs":
        return np.array([[-1.0 if option in ZEROS else 1.0] for option in decision.options])
    picks = np.zeros((len(decision.options), decision.count or 0))
    for row, option in enumerate(decision.options):
        assert isinstance(option, tuple)
        picks[row, list(option)] = 1.0
    return picks


@final
@dataclass(frozen=True)
class _Event:
    """A step of the LSTM: it answers the slots at ``turns`` of a walk, or (with none) makes the anchor ``row``."""

    turns: tuple[int, ...]
    row: int = -1


@final
class Anchored(Policy):
    """An LSTM that reads its own answers, and chooses connections by attention to its anchors: ENAS, section 2.

    As :class:`~netwright.strategies.controllers.Autoregressive`, but for the slots of :class:`Anchors`: there the
    logit of an option is the sum of ``vᵀ tanh(W₁ · anchor + W₂ · h)`` over the candidates that it takes, of a switch
    that number for on and its negative for off, and the LSTM reads anchors after it. A set of switches is answered in
    one step. ``bounds`` are those of slots; ``bias`` (a number for each option of all slots) is added after them and
    never learnt.
    """

    def __init__(
        self,
        anchors: Anchors,
        steps: Steps,
        rng: np.random.Generator,
        hidden: int,
        layers: int,
        init: float,
        bounds: Sequence[float] | None = None,
        bias: Floats | None = None,
    ) -> None:
        self.anchors = anchors
        self.hidden, self.layers = hidden, layers
        shapes: list[tuple[int, ...]] = [(4 * hidden, hidden), (4 * hidden, hidden), (4 * hidden,)] * layers
        shapes += [(steps.total + 1, hidden), (steps.total, hidden), (steps.total,)]
        shapes += [(hidden, hidden), (hidden, hidden), (hidden,), (anchors.free, hidden)]
        self._shapes = shapes
        self._cuts = [0, *accumulate(int(np.prod(shape)) for shape in shapes)]
        super().__init__(steps, self._cuts[-1])
        self.theta[:] = rng.uniform(-init, init, len(self.theta))
        self.bounds: Floats | None = None if bounds is None else np.asarray(bounds, dtype=np.float64)
        self.bias = bias
        self._views = self._split(self.theta)
        self._programs: dict[tuple[int, ...], list[_Event]] = {}

    def weights(self) -> dict[str, Floats]:
        """Views of the parameters, with torch's names for those of the LSTM."""
        names = [f"{kind}_l{layer}" for layer in range(self.layers) for kind in ("weight_ih", "weight_hh", "bias")]
        names += ["embedding", "head", "head_bias", "of_anchors", "of_state", "attention", "free"]
        return dict(zip(names, self._views, strict=True))

    def reader(self) -> Reader:
        return _AnchoredReader(self)

    def _split(self, vector: Floats) -> list[Floats]:
        pairs = zip(self._cuts, self._cuts[1:], self._shapes, strict=False)
        return [vector[begin:end].reshape(shape) for begin, end, shape in pairs]

    def _program(self, slots: tuple[int, ...]) -> list[_Event]:
        """The steps of the LSTM on a walk through these slots."""
        if slots not in self._programs:
            events: list[_Event] = []
            for turn, slot in enumerate(slots):
                if turn and self.anchors.together(slots[turn - 1], slot):
                    events[-1] = _Event((*events[-1].turns, turn))
                    continue
                if turn:
                    events += [_Event((), row) for row in self.anchors.ended(slots[turn - 1], slot)]
                events.append(_Event((turn,)))
            self._programs[slots] = events
        return self._programs[slots]

    def _logits(self, slots: tuple[int, ...], rows: Integers, actions: Integers) -> tuple[Floats, Any]:
        embedding, head, head_bias, of_anchors, of_state, attention, free = self._views[-7:]
        count, hidden, anchors = actions.shape[1], self.hidden, self.anchors
        bank = np.zeros((count, anchors.rows, hidden))
        bank[:, : anchors.free] = free
        keys = bank @ of_anchors
        h = [np.zeros((count, hidden))] * self.layers
        c = [np.zeros((count, hidden))] * self.layers
        logits = np.zeros((*actions.shape, rows.shape[1]))
        reads: Integers | Floats = np.full(count, self.steps.total)
        kept = []
        for event in self._program(slots):
            x = embedding[reads] if reads.dtype == np.int64 else np.einsum("br,brh->bh", reads, bank)
            caches = []
            for layer in range(self.layers):
                h[layer], c[layer], cache = self._cell(layer, x, h[layer], c[layer])
                caches.append(cache)
                x = h[layer]
            thoughts = []
            if not event.turns:
                bank[:, event.row] = x
                keys[:, event.row] = x @ of_anchors
            for turn in event.turns:
                choice = anchors.choices[slots[turn]]
                if choice is None:
                    logits[turn] = x @ head[rows[turn]].T + head_bias[rows[turn]]
                else:
                    thought = np.tanh(keys[:, choice.sources] + (x @ of_state)[:, None])
                    logits[turn, :, : len(choice.picks)] = (thought @ attention) @ choice.picks.T
                    thoughts.append(thought)
            kept.append((event, reads, caches, x, thoughts))
            reads = self._reads(event, slots, rows, actions)
        slopes: Floats | None = None
        if self.bounds is not None:
            bounds, squashed = self.bounds[list(slots), None, None], np.tanh(logits)
            logits, slopes = bounds * squashed, bounds * (1.0 - squashed * squashed)
        if self.bias is not None:
            logits = logits + self.bias[rows][:, None, :]
        return logits, (slots, kept, bank, slopes)

    def _reads(self, event: _Event, slots: tuple[int, ...], rows: Integers, actions: Integers) -> Integers | Floats:
        """What is read after a step: rows of the embedding (B,), or what each anchor counts for (B, bank)."""
        if not event.turns:
            return np.full(actions.shape[1], self.steps.total)
        if self.anchors.choices[slots[event.turns[0]]] is None:
            answers: Integers = rows[event.turns[0], actions[event.turns[0]]]
            return answers
        return self.anchors.read([slots[turn] for turn in event.turns], actions[list(event.turns)])

    def _backward(self, rows: Integers, valid: NDArray[np.bool_], dlogits: Floats, memory: Any) -> Floats:
        slots, kept, bank, slopes = memory
        if slopes is not None:
            dlogits = dlogits * slopes
        dlogits = dlogits * valid[:, None, :]
        gradient = np.zeros_like(self.theta)
        views = self._split(gradient)
        dembedding, dhead, dhead_bias, dof_anchors, dof_state, dattention, dfree = views[-7:]
        _, head, _, of_anchors, of_state, attention, free = self._views[-7:]
        dbank, dkeys = np.zeros_like(bank), np.zeros_like(bank)
        dh = [np.zeros(bank[:, 0].shape) for _ in range(self.layers)]
        dc = [np.zeros(bank[:, 0].shape) for _ in range(self.layers)]
        dzs: list[list[Floats]] = [[] for _ in range(self.layers)]
        for event, reads, caches, top, thoughts in reversed(kept):
            dtop = dh[-1]
            if not event.turns:
                dtop = dtop + dbank[:, event.row] + dkeys[:, event.row] @ of_anchors.T
                dof_anchors += top.T @ dkeys[:, event.row]
            for place, turn in enumerate(event.turns):
                choice = self.anchors.choices[slots[turn]]
                if choice is None:
                    begin, size = self.steps.offsets[slots[turn]], self.steps.sizes[slots[turn]]
                    dhead[begin : begin + size] = dlogits[turn, :, :size].T @ top
                    dhead_bias[begin : begin + size] = dlogits[turn, :, :size].sum(0)
                    dtop = dtop + dlogits[turn, :, :size] @ head[begin : begin + size]
                    continue
                thought = thoughts[place]
                dscores = dlogits[turn, :, : len(choice.picks)] @ choice.picks
                dattention += dscores.ravel() @ thought.reshape(-1, self.hidden)
                dthought = dscores[:, :, None] * attention * (1.0 - thought * thought)
                dkeys[:, choice.sources] += dthought
                dquery = dthought.sum(1)
                dof_state += top.T @ dquery
                dtop = dtop + dquery @ of_state.T
            dh[-1] = dtop
            dx: Floats = np.zeros(0)
            for layer in reversed(range(self.layers)):
                dz, dc[layer] = self._cell_backward(dh[layer], dc[layer], caches[layer])
                dzs[layer].append(dz)
                dx, dh[layer] = dz @ self._views[3 * layer], dz @ self._views[3 * layer + 1]
                if layer:
                    dh[layer - 1] = dh[layer - 1] + dx
            if reads.dtype == np.int64:
                np.add.at(dembedding, reads, dx)
            else:
                dbank += reads[:, :, None] * dx[:, None, :]
        # One product over all steps is much quicker than one a step.
        for layer in range(self.layers):
            dz = np.concatenate(dzs[layer][::-1])
            views[3 * layer][:] = dz.T @ np.concatenate([caches[layer][0] for _, _, caches, _, _ in kept])
            views[3 * layer + 1][:] = dz.T @ np.concatenate([caches[layer][1] for _, _, caches, _, _ in kept])
            views[3 * layer + 2][:] = dz.sum(0)
        learnt = dkeys[:, : self.anchors.free].sum(0)
        dof_anchors += free.T @ learnt
        dfree += dbank[:, : self.anchors.free].sum(0) + learnt @ of_anchors.T
        return gradient

    def _cell(self, layer: int, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats, Any]:
        """One step of a layer of the LSTM; gates in torch's order: input, forget, cell, output."""
        of_input, of_state, bias = self._views[3 * layer : 3 * layer + 3]
        hidden = self.hidden
        gates = x @ of_input.T
        gates += h @ of_state.T
        gates += bias
        gate = np.tanh(gates[..., 2 * hidden : 3 * hidden])
        # A sigmoid is a stretched tanh, which does not overflow.
        gates *= 0.5
        np.tanh(gates, out=gates)
        gates *= 0.5
        gates += 0.5
        gates[..., 2 * hidden : 3 * hidden] = gate
        now = gates[..., hidden : 2 * hidden] * c + gates[..., :hidden] * gate
        squashed = np.tanh(now)
        return gates[..., 3 * hidden :] * squashed, now, (x, h, c, gates, squashed)

    def _cell_backward(self, dh: Floats, dc: Floats, cache: Any) -> tuple[Floats, Floats]:
        """The gradients by the sums that the gates are made of, and by the cells before."""
        _, _, c, gates, squashed = cache
        hidden = self.hidden
        enter, forget, gate, leave = (gates[:, place * hidden : (place + 1) * hidden] for place in range(4))
        dnow = dc + dh * leave * (1.0 - squashed * squashed)
        dz = np.zeros_like(gates)
        dz[:, :hidden] = dnow * gate
        dz[:, hidden : 2 * hidden] = dnow * c
        dz[:, 3 * hidden :] = dh * squashed
        dz *= gates - gates * gates
        dz[:, 2 * hidden : 3 * hidden] = dnow * enter * (1.0 - gate * gate)
        return dz, dnow * forget


@final
class _AnchoredReader(Reader):
    """The same steps, one walk long, made as the slots are asked."""

    def __init__(self, policy: Anchored) -> None:
        self._policy = policy
        self._h = [np.zeros(policy.hidden)] * policy.layers
        self._c = [np.zeros(policy.hidden)] * policy.layers
        self._bank = np.zeros((policy.anchors.rows, policy.hidden))
        self._bank[: policy.anchors.free] = policy.weights()["free"]
        self._asked: list[tuple[int, int]] = []  # slots of this step of the LSTM, and what they answered

    def probabilities(self, slot: int, open_: int) -> Floats:
        policy = self._policy
        embedding, head, head_bias, of_anchors, of_state, attention, _ = policy._views[-7:]
        before = self._asked[-1][0] if self._asked else None
        if before is None or not policy.anchors.together(before, slot):
            x = embedding[policy.steps.total] if before is None else self._read()
            for row in [] if before is None else policy.anchors.ended(before, slot):
                self._bank[row] = self._step(x)
                x = embedding[policy.steps.total]
            self._step(x)
            self._asked = []
        top = self._h[-1]
        begin = policy.steps.offsets[slot]
        choice = policy.anchors.choices[slot]
        if choice is None:
            logits = head[begin : begin + open_] @ top + head_bias[begin : begin + open_]
        else:
            thought = np.tanh(self._bank[choice.sources] @ of_anchors + top @ of_state)
            logits = choice.picks @ (thought @ attention)
        if policy.bounds is not None:
            logits = policy.bounds[slot] * np.tanh(logits)
        if policy.bias is not None:
            logits = logits + policy.bias[begin : begin + open_]
        return softmax(logits)

    def took(self, slot: int, action: int) -> None:
        self._asked.append((slot, action))

    def _read(self) -> Floats:
        policy, (slot, action) = self._policy, self._asked[0]
        if policy.anchors.choices[slot] is None:
            found: Floats = policy._views[-7][policy.steps.offsets[slot] + action]
            return found
        slots, actions = zip(*self._asked, strict=True)
        counts: Floats = policy.anchors.read(slots, np.array(actions)[:, None])[0]
        return counts @ self._bank

    def _step(self, x: Floats) -> Floats:
        for layer in range(self._policy.layers):
            self._h[layer], self._c[layer], _ = self._policy._cell(layer, x, self._h[layer], self._c[layer])
            x = self._h[layer]
        return x


def biases(wanted: Mapping[str, float], steps: Steps) -> tuple[Floats, set[str]]:
    """What is added to the logits of all options of all slots, by the names of options; and the names that none has."""
    found, missing = np.zeros(steps.total), set(wanted)
    for decision, size, offset in zip(steps.asks, steps.sizes, steps.offsets, strict=True):
        if decision.options is None or len(decision.options) != size:
            continue
        for place, option in enumerate(decision.options):
            if isinstance(option, str) and option in wanted:
                found[offset + place] = wanted[option]
                missing.discard(option)
    return found, missing


def skip_pull(done: Pass, known: Mapping[int, tuple[int, int]], target: float) -> tuple[float, Floats]:
    """How far switches are from being on with the probability ``target``, and the gradient by the logits.

    ``known`` is what :func:`switches` says. It is the divergence KL(probabilities ‖ target) of each switch of a walk,
    summed within a set and the mean over the sets, the mean over the walks, too.
    """
    slopes = np.zeros_like(done.probabilities)
    turns = [turn for turn, slot in enumerate(done.slots) if slot in known]
    if not turns:
        return 0.0, slopes
    sets = len({known[done.slots[turn]][0] for turn in turns})
    on = np.array([known[done.slots[turn]][1] for turn in turns])
    wanted = np.where(on[:, None] == np.arange(2), target, 1.0 - target)[:, None, :]
    shares = done.probabilities[turns, :, :2]
    logs = np.log(np.maximum(shares, np.finfo(np.float64).tiny) / wanted)
    apart = (shares * logs).sum(2, keepdims=True)
    scale = 1.0 / (sets * shares.shape[1])
    slopes[turns, :, :2] = scale * shares * (logs - apart)
    return scale * float(apart.sum()), slopes
