"""Which part of a shared tensor a smaller layer uses: the first channels, the middle of a kernel.

The published ways: the first channels of the largest layer (Yu et al. 2019, slimmable networks), the centre of the
largest kernel (Cai et al. 2020, once-for-all; its matrices are in :mod:`netwright.supernet.kernels`), for each gate or
each of query, key and value the first rows of its own part. What has no rule is refused when the supernet is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from netwright.errors import SpaceError

Slicer = Callable[[Tensor, tuple[int, ...], nn.Module, nn.Module], Tensor]
"""From the shared tensor, the wanted shape, the large layer and the small one: a view where that is possible."""

_GATES = {nn.LSTM: 4, nn.LSTMCell: 4, nn.GRU: 3, nn.GRUCell: 3, nn.RNN: 1, nn.RNNCell: 1}
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_PLAIN = (nn.Linear, nn.Embedding, nn.PReLU, *NORMS)
_RULES: dict[type[nn.Module], Slicer] = {}


def add_rule(kind: type[nn.Module], slicer: Slicer) -> None:
    """Says how the own parameters of a module class of yours are sliced."""
    _RULES[kind] = slicer


def ruled(layer: nn.Module) -> bool:
    """Whether a rule of its own says how the tensors of a layer are sliced."""
    return any(kind in _RULES for kind in type(layer).__mro__)


def sliced(shared: Tensor, shape: tuple[int, ...], large: nn.Module, small: nn.Module, name: str) -> Tensor:
    """The part of ``shared`` that the layer ``small`` uses where the supernet has ``large``; contiguous.

    It is a view where the part lies in one piece, else a copy: products with strided tensors differ in the last bit.
    SpaceError, in the name of the tensor, where no rule is known or the two do not fit.
    """
    if tuple(shared.shape) == tuple(shape):
        return shared
    return part_of(shared, shape, large, small, name).contiguous()


def part_of(shared: Tensor, shape: tuple[int, ...], large: nn.Module, small: nn.Module, name: str) -> Tensor:
    """:func:`sliced` as it lies in memory, of any tensor of the shape of the shared one."""
    if type(large) is not type(small):
        raise _refusal(name, f"it belongs to a {type(large).__name__} and to a {type(small).__name__}")
    if shared.dim() != len(shape) or any(have < want for have, want in zip(shared.shape, shape, strict=True)):
        raise _refusal(name, f"it would have to be {_text(shape)}, and the largest options make it "
                             f"{_text(shared.shape)}")  # fmt: skip
    for kind in type(small).__mro__:
        if kind in _RULES:
            return _RULES[kind](shared, shape, large, small)
    if isinstance(small, CONVOLUTIONS):
        return _convolution(shared, shape, large, small, name)
    gates = next((count for kind, count in _GATES.items() if isinstance(small, kind)), None)
    if gates is not None and "weight_hr" not in name.rpartition(".")[2]:
        return _parts(shared, shape, gates)
    if isinstance(small, nn.MultiheadAttention):
        return _parts(shared, shape, 3) if "in_proj" in name.rpartition(".")[2] else _first(shared, shape)
    if isinstance(small, _PLAIN) or gates is not None:
        return _first(shared, shape)
    raise _refusal(name, f"the size of a {type(small).__name__}'s own tensors depends on a decision, and how to share "
                         "them is not known")  # fmt: skip


def _first(shared: Tensor, shape: tuple[int, ...]) -> Tensor:
    return shared[tuple(slice(size) for size in shape)]


def _parts(shared: Tensor, shape: tuple[int, ...], count: int) -> Tensor:
    """The first rows of each of ``count`` equal parts."""
    parts = shared.reshape(count, -1, *shared.shape[1:])
    return _first(parts, (count, shape[0] // count, *shape[1:])).flatten(0, 1)


def _convolution(shared: Tensor, shape: tuple[int, ...], large: Any, small: Any, name: str) -> Tensor:
    if shared.dim() == 1:
        return _first(shared, shape)
    depthwise = [layer.groups == layer.in_channels for layer in (large, small)]
    if large.groups != small.groups and not all(depthwise):
        raise _refusal(name, f"a convolution has {large.groups} groups here and {small.groups} there, and not as many "
                             "as channels")  # fmt: skip
    for have, want in zip(shared.shape[2:], shape[2:], strict=True):
        if (have - want) % 2:
            raise _refusal(name, f"a kernel of {want} has no place in the middle of one of {have}")
    shared = middle(shared, shape[2:])
    if small.groups == 1 or all(depthwise):
        return shared[: shape[0], : shape[1]]
    groups = small.groups
    parts = shared.reshape(groups, -1, *shared.shape[1:])
    part: Tensor = parts[:, : shape[0] // groups, : shape[1]].flatten(0, 1)
    return part


def middle(weight: Tensor, kernel: Sequence[int]) -> Tensor:
    """The middle of each kernel of a convolution's weight (channels out, channels in, then the kernel), as a view."""
    places = (slice((have - want) // 2, (have - want) // 2 + want)
              for have, want in zip(weight.shape[2:], kernel, strict=True))  # fmt: skip
    return weight[(slice(None), slice(None), *places)]


def _refusal(name: str, why: str) -> SpaceError:
    return SpaceError(
        f"the tensor {name} cannot be shared: {why}",
        hint="Give each case its own candidate with one_of, or a rule with netwright.supernet.add_rule.",
    )


def _text(shape: Any) -> str:
    return "×".join(str(size) for size in shape) or "a single number"
