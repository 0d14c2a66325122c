"""Operations on the meta device whose shapes are plain, and whose kernels there are slow.

Torch's own meta kernels for them are written in Python: they take longer than the rest of a small network, and the
first of them imports the compiler. One that is not here, or whose arguments are not the usual ones, is left to torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_aten = torch.ops.aten


def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What ``func`` answers; on the meta device by a shortcut where there is one."""
    short = _SHORT.get(func)
    if short is not None and not kwargs:
        result = short(*args)
        if result is not None:
            return result
    return func(*args, **kwargs)


def _same(x: Any, *rest: Any) -> Any:
    return torch.empty_like(x) if x.is_meta and x.is_floating_point() else None


def _sum(a: Any, b: Any, *rest: Any) -> Any:
    """Two of one kind, or one that is broadcast along the other."""
    if not _on_meta(a, b) or a.dtype != b.dtype:
        return None
    if a.shape == b.shape and a.stride() == b.stride():
        return torch.empty_like(a)
    if not (a.is_contiguous() and b.is_contiguous() and a.dim() == b.dim()):
        return None
    if any(one != two and 1 not in (one, two) for one, two in zip(a.shape, b.shape, strict=True)):
        return None
    return a.new_empty([two if one == 1 else one for one, two in zip(a.shape, b.shape, strict=True)])


def _product(bias: Any, a: Any, b: Any) -> Any:
    """A linear layer: rows times a matrix, and a bias along them."""
    if not _on_meta(bias, a, b) or not bias.dtype == a.dtype == b.dtype or a.dim() != 2 or b.dim() != 2:
        return None
    if a.shape[1] != b.shape[0] or bias.shape != b.shape[1:]:
        return None
    return a.new_empty(a.shape[0], b.shape[1])


def _mean(x: Any, dims: Any = None, keep: bool = False) -> Any:
    if not x.is_meta or not x.is_floating_point() or not dims or x.dim() == 0:
        return None
    gone = {dim % x.dim() for dim in dims}
    if len(gone) < len(dims) or not all(-x.dim() <= dim < x.dim() for dim in dims):
        return None
    sizes = [1 if place in gone else size for place, size in enumerate(x.shape) if keep or place not in gone]
    return x.new_empty(sizes)


def _cat(tensors: Any, dim: int = 0) -> Any:
    first = tensors[0]
    if not _on_meta(*tensors) or not -first.dim() <= dim < first.dim():
        return None
    place = dim % first.dim()
    sizes = list(first.shape)
    for other in tensors[1:]:
        rest = list(other.shape)
        if other.dtype != first.dtype or len(rest) != len(sizes) or not other.is_contiguous():
            return None
        if rest[:place] != sizes[:place] or rest[place + 1 :] != sizes[place + 1 :]:
            return None
        sizes[place] += rest[place]
    return first.new_empty(sizes) if first.is_contiguous() else None


def _norm(place: int) -> Callable[..., Any]:
    """BatchNorm in evaluation mode: its statistics have a size on the meta device that they have nowhere else."""

    def norm(x: Any, *rest: Any) -> Any:
        if not x.is_meta or rest[place - 1]:
            return None
        empty = x.new_empty(0)
        return torch.empty_like(x), empty, empty.clone()

    return norm


def _on_meta(*tensors: Any) -> bool:
    return all(isinstance(each, torch.Tensor) and each.is_meta for each in tensors)


_SHORT: dict[Any, Callable[..., Any]] = {
    **{
        getattr(_aten, name).default: _same
        for name in ("relu", "gelu", "silu", "sigmoid", "tanh", "hardtanh", "hardswish", "leaky_relu", "elu", "mish")
    },
    _aten.add.Tensor: _sum,
    _aten.mul.Tensor: _sum,
    _aten.addmm.default: _product,
    _aten.mean.dim: _mean,
    _aten.cat.default: _cat,
    _aten.native_batch_norm.default: _norm(5),
    _aten._native_batch_norm_legit.default: _norm(5),
}
