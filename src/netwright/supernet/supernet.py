"""Supernet: all architectures of a space in one network, with weights that they share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.architecture import Answer, Architecture
from netwright.errors import ArchitectureError, InputError, SpaceError
from netwright.space import Decision, SearchSpace
from netwright.space.traceless import generators_kept, modes_kept
from netwright.space.uninitialised import Uninitialised
from netwright.supernet.share import Located, Share
from netwright.supernet.slicing import sliced
from netwright.supernet.superposition import Superposition
from netwright.supernet.switches import Board, Way
from netwright.supernet.tensors import SharedTensors

Part = Callable[[], Tensor]

KEPT = 64
"""So many architectures are kept built, where each has to be built."""
PROBED, PATHS = 2, 8
"""With so many images on so many paths it is tried whether a layout can be taken."""


@final
class Supernet(nn.Module):
    """One network with the weights of all architectures of ``space``; :meth:`at` runs one of them.

    Candidates, blocks and connections have their own weights, shared by all architectures that have them at the same
    place. Where sizes are open (``choose``), smaller layers use slices of the largest
    (:mod:`netwright.supernet.slicing`), on request with matrices for kernels (:meth:`transform_kernels`). ``seed`` is
    that of the initial weights; the global generator is left as it was. What cannot be shared is refused here, with a
    SpaceError that names it.
    """

    def __init__(self, space: SearchSpace, *, seed: int = 0) -> None:
        super().__init__()
        self.space, self.seed = space, seed
        self.board = Board()
        self.values: tuple[Decision, ...] = tuple(
            decision
            for decision in space.decisions
            if decision.kind in ("choose", "range") and not decision.of_training
        )
        self._built: OrderedDict[Architecture, nn.Module] = OrderedDict()
        self._superposition: Superposition | None = None
        self.narrowed = False
        """Whether its candidates have only a part of their channels (:mod:`netwright.supernet.partial_channels`)."""
        with generators_kept(seed=seed):
            self.network: nn.Module = SharedTensors(self.values, self._made) if self.values else self._made({}, True)
        self._enter(self.network)

    def at(self, architecture: Mapping[str, Answer]) -> nn.Module:
        """The network of one architecture, to be run, trained and scored: its weights are those of the supernet.

        Only its own layers run and need memory. It is valid until the next call of :meth:`at` or :meth:`mixed`, and
        is training or not as the supernet is.
        """
        checked = self.space.validate(architecture) if not isinstance(architecture, Architecture) else architecture
        if self.values:
            return self._bound(checked)
        self.board.ways = self.ways(checked)
        return self.network

    def ways(self, answers: Mapping[str, Answer]) -> dict[str, Way]:
        """The way of each answer: its option alone. ArchitectureError for an answer that is no option."""
        ways = {}
        for name, answer in answers.items():
            position = self.space.declared[name].position(answer) if name in self.space.declared else None
            if position is None:
                raise ArchitectureError(f"the supernet has no decision '{name}' with the option {answer!r:.80}")
            ways[name] = Way((position,))
        return ways

    def mixed(self, ways: Mapping[str, Way]) -> nn.Module:
        """The whole supernet with each decision going its :class:`~netwright.supernet.switches.Way`.

        Where sizes are open, their mixtures are of weights (:mod:`netwright.supernet.superposition`); SpaceError for
        decisions that change no weight.
        """
        if self.values:
            return self.superposition.mixed(ways)
        self.board.ways = ways
        return self.network

    @property
    def superposition(self) -> Superposition:
        """The mixtures of a supernet with open sizes; made when they are first asked for."""
        if isinstance(self.network, SharedTensors) and self.network.transforms:
            raise SpaceError(
                "the supernet cannot mix open sizes: matrices make its smaller kernels of larger ones, and mixtures "
                "of weights cut them out",
                hint="Use a supernet without transform_kernels(), or run one architecture at a time with at().",
            )
        if self._superposition is None:
            self._superposition = Superposition(self)
        return self._superposition

    @contextmanager
    def path(self, architecture: Mapping[str, Answer]) -> Iterator[nn.Module]:
        """:meth:`at`, and afterwards the supernet goes its former way again."""
        before = self.board.ways
        try:
            yield self.at(architecture)
        finally:
            self.board.ways = before

    def extract(self, architecture: Mapping[str, Answer]) -> nn.Module:
        """The plain network with a copy of the weights that it has here: it gives the same outputs, bit for bit.

        It is training or not as the supernet is.
        """
        checked = self.space.validate(architecture)
        if self.narrowed:
            raise SpaceError(
                "the supernet has no weights for whole architectures: its mixtures hold a part of the channels",
                hint="Build it, space.build(architecture), and train it from scratch.",
            )
        network, places = self._locate(checked)
        example = next(self.network.parameters(), torch.empty(0))
        network.to(example.device, example.dtype)
        with torch.no_grad():
            for module, name, kind, _, part in self._pairs(network, places):
                own = module._parameters[name] if kind == "parameter" else module._buffers[name]
                assert own is not None
                # As at() has it, see there: products without a gradient are summed in another order.
                with torch.enable_grad():
                    mine = part()
                own.copy_(mine)
        return network.train(self.training)

    def arrange(self, example: Any) -> torch.memory_format:
        """Chooses how images lie in memory, for inputs such as ``example``, and says how; called once, before training.

        They have their channels last on a CPU where all parts can take it, and then mixtures are computed together
        (:mod:`netwright.supernet.joining`). Inputs are laid out as they come in; weights stay as they are. What is
        extracted gives the same outputs bit for bit for inputs of the same layout.
        """
        network = self.network
        modules = network.layers.values() if isinstance(network, SharedTensors) else network.modules()
        images = isinstance(example, Tensor) and example.dim() == 4 and example.device.type == "cpu"
        self._built.clear()
        self.board.laid_out = images and any(isinstance(module, nn.Conv2d) for module in modules)
        if self.board.laid_out:
            self.board.laid_out = self._runs(example[:PROBED])
            self._built.clear()
        return torch.channels_last if self.board.laid_out else torch.contiguous_format

    def transform_kernels(self) -> None:
        """From now on matrices that learn make smaller kernels of larger ones (:mod:`netwright.supernet.kernels`).

        They are identities at first, so that every network stays what it is, and parameters of :attr:`network`: to be
        called before an optimiser is made, and before :meth:`restore` takes weights that have them. Kernels that are
        values of one layer get them; candidates have weights of their own. Twice is once. Such a supernet runs one
        architecture at a time: :meth:`mixed` raises SpaceError where sizes are open.
        """
        if isinstance(self.network, SharedTensors) and self.network.kernels:
            self.network.transform()
            self._built.clear()
            self._superposition = None

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The supernet as it was last told to go."""
        return self.network(*inputs, **options)

    def train(self, mode: bool = True) -> Supernet:
        super().train(mode)
        for network in self._built.values():
            network.train(mode)
        if self._superposition is not None:
            self._superposition.train(mode)
        return self

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode for a while; afterwards every module has the mode that it had.

        So have those of the networks that were run before; what is run here for the first time is then in the mode of
        the supernet.
        """
        mode = self.training
        with modes_kept(self, *self._built.values()):
            self.eval()
            try:
                yield
            finally:
                self.train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Supernet:
        """To another device or type: what was built has views of the tensors of before."""
        self._built.clear()
        self._superposition = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Without the networks that were built: they are views, and cannot be copied."""
        return {**self.__dict__, "_built": OrderedDict(), "_superposition": None}

    def checkpoint(self) -> dict[str, Tensor]:
        """The weights, to be kept with :attr:`~netwright.space.SearchSpace.signature` of the space."""
        return {name.replace("/", "."): tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Takes the weights of a checkpoint; InputError where they are of another supernet."""
        own = {name.replace("/", "."): tensor for name, tensor in self.network.state_dict().items()}
        wrong = [name for name in own if name not in weights or weights[name].shape != own[name].shape]
        wrong += [name for name in weights if name not in own]
        if wrong:
            raise InputError(
                f"the weights are of another supernet: {len(wrong)} tensors differ, the first is {wrong[0]}",
                hint="Make it of the same space, with the same arguments; call transform_kernels() where they have "
                "matrices for kernels",
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(weights[name])

    # Below: helpers in the order of use

    def _runs(self, images: Tensor) -> bool:
        """Whether the layout can be taken: a network that calls ``view`` on its features cannot. Nothing is changed."""
        before, rng = self.board.ways, np.random.default_rng(0)
        try:
            # Not inference_mode: what a network caches in its first forward could then not be trained.
            with self.evaluating(), torch.no_grad(), generators_kept(images.device):
                for _ in range(PATHS):
                    self.at(self.space.unrestricted.sample(rng))(images)
                if not self.values and self._mixes(images):
                    self.network(images)
        except RuntimeError:
            # Not our affair here: whatever is wrong for every layout is raised by the training itself.
            return False
        finally:
            self.board.ways = before
        return True

    def _mixes(self, images: Tensor) -> bool:
        """Whether all options together give anything in the usual layout; the supernet stands so afterwards."""
        self.board.ways = {
            decision.name: Way(tuple(range(len(decision.options))))
            for decision in self.space.declared.values()
            if decision.options is not None
        }
        self.board.laid_out = False
        try:
            self.network(images)
        except Exception:
            # Not all spaces can be mixed: then paths alone say what the layout can be.
            return False
        finally:
            self.board.laid_out = True
        return True

    def _enter(self, network: nn.Module) -> None:
        network.register_forward_pre_hook(self.board.begin)
        network.register_forward_hook(self.board.end, always_call=True)

    def _made(self, values: Mapping[str, Answer], weights: bool) -> nn.Module:
        """The network with all candidates, for some values; on the meta device where its weights are not looked at."""
        cheaply: Any = nullcontext()
        if not weights:
            cheaply = Uninitialised() if self.space.notes else torch.device("meta")
        try:
            with cheaply:
                return self.space.read(Share(self.board, values), "made a supernet")
        except SpaceError:
            raise
        except Exception as error:
            raise SpaceError(
                f"{self.space.name} cannot be a supernet: {type(error).__name__}: {error}",
                hint="The constructor may only pass on what one_of, repeat and inputs give: what it is, is open.",
            ) from error

    def _bound(self, architecture: Architecture) -> nn.Module:
        if architecture in self._built:
            self._built.move_to_end(architecture)
            return self._built[architecture]
        network, places = self._locate(architecture)
        copies = []
        # Views must know where they come from, whoever asks for them first.
        with torch.inference_mode(False), torch.enable_grad():
            for module, name, kind, shared, part in self._pairs(network, places):
                tensors: Any = module._parameters if kind == "parameter" else module._buffers
                tensors[name] = part()
                if tensors[name].untyped_storage().data_ptr() != shared.untyped_storage().data_ptr():
                    copies.append((tensors, name, part))
        cells = [module for module in network.modules() if isinstance(module, nn.RNNBase)]

        def bind(*_: Any) -> None:
            """What cannot be a view is cut out anew for each pass."""
            # Torch multiplies in another order where a weight needs no gradient, so they always say that they do.
            with torch.inference_mode(False), torch.enable_grad():
                for tensors, name, part in copies:
                    tensors[name] = part()
            for cell in cells:
                cell._flat_weights = [getattr(cell, name) for name in cell._flat_weights_names]

        bind()
        if copies:
            network.register_forward_pre_hook(bind)
        self._enter(network)
        network.train(self.training)
        self._built[architecture] = network
        if len(self._built) > KEPT:
            self._built.popitem(last=False)
        return network

    def _locate(self, architecture: Architecture) -> tuple[nn.Module, dict[str, str]]:
        """The architecture's own network, and where each of its modules stands in the supernet.

        Only a buffer that is not the supernet's keeps what it is filled with here, by the supernet's seed.
        """
        reading = Located(self.space.declared, architecture)
        own = isinstance(self.network, SharedTensors) and self.network.others
        with generators_kept(seed=self.seed), nullcontext() if own else Uninitialised():
            network = self.space.read(reading, f"built as {architecture}")
        reading.finish()
        return network, reading.places(network)

    def _pairs(
        self, network: nn.Module, places: Mapping[str, str]
    ) -> Iterator[tuple[nn.Module, str, str, Tensor, Part]]:
        """For each tensor of ``network`` its module, name, kind, the supernet's tensor, and what cuts its part out."""
        modules = {} if self.values else dict(self.network.named_modules())
        for name, module in network.named_modules():
            place = places[name]
            for kind, tensors in (("parameter", module._parameters), ("buffer", module._buffers)):
                for own, tensor in tensors.items():
                    if tensor is None:
                        continue
                    full = f"{place}.{own}" if place else own
                    shared, large = self._shared(full, kind, own, modules.get(place))
                    if shared is not None and large is not None:
                        shape = tuple(tensor.shape)
                        if isinstance(self.network, SharedTensors):
                            part = partial(self.network.part, full, shape, module)
                        else:
                            part = partial(sliced, shared, shape, large, module, full)
                        yield module, own, kind, shared, part
                    elif kind == "parameter":
                        raise SpaceError(
                            f"the supernet has no tensor {full}, which this architecture needs",
                            hint="Its size or presence depends on several values at once: use one_of for one of them.",
                        )

    def _shared(
        self, full: str, kind: str, own: str, large: nn.Module | None
    ) -> tuple[Tensor | None, nn.Module | None]:
        if isinstance(self.network, SharedTensors):
            return self.network.of(full), self.network.layers.get(full)
        if large is None:
            return None, None
        return (large._parameters if kind == "parameter" else large._buffers).get(own), large
