"""Mixtures computed together: what several candidates, or layers on several connections, do alike is done once.

A mixture is a sum over candidates, each of which is a chain of layers. ReLU and pooling of the same tensor are computed
once for all that begin with them; a 1×1 convolution with its BatchNorm is folded into the sum
(:func:`~netwright.supernet.convolutions.normalized_projections`); the weight of a candidate that ends in a BatchNorm
becomes part of its scale; kernels with holes are run without them; what is always zero is left out. Layers that are
not torch's own, or that are hooked, run as they are. The outcome is the plain one up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as torch_module

from netwright.supernet.convolutions import (
    are_calm,
    has_holes,
    moments,
    normalized_projections,
    phases,
    projected_moments,
    unphased,
    weighted_sum,
    without_holes,
)

ZEROS = frozenset({"none", "zero"})
"""Names of candidates that may be nothing; whether one is, is tried."""


@final
class Memo:
    """What was computed of a tensor in this forward pass, by the tensor and by what was done to it."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[Tensor, int, Any, int]] = {}

    def of(self, x: Tensor, what: tuple[Any, ...], make: Callable[[Tensor], Any]) -> Any:
        """``make(x)``, from before where neither ``x`` nor the outcome was changed since."""
        if x.is_inference():
            return make(x)  # whether it was changed is not known then
        key = (id(x), torch.is_grad_enabled(), *what)
        known = self._known.get(key)
        # The tensor itself is kept, so that no other has its id.
        if known is not None and known[1] == x._version and known[3] == _version(known[2]):
            return known[2]
        made = make(x)
        self._known[key] = (x, x._version, made, _version(made))
        return made


def can_join(x: Any) -> bool:
    """Whether a mixture of this input can be computed together: images on a CPU, and nobody listens."""
    return (
        type(x) is Tensor
        and x.dim() == 4
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not (torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks)
        and not (torch_module._global_backward_hooks or torch_module._global_backward_pre_hooks)
        and not torch._C._are_functorch_transforms_active()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )


def is_bare(module: nn.Module) -> bool:
    """Whether nobody has hooked a module or given it another ``forward``, so that it need not be called."""
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in module.__dict__
    )


def is_nothing(module: nn.Module, x: Tensor) -> bool:
    """Whether a module without parameters gives zeros of numbers that are none; it is tried once."""
    if any(True for _ in module.parameters()) or any(True for _ in module.buffers()):
        return False
    numbers = torch.rand((1, *x.shape[1:]), generator=torch.Generator().manual_seed(0)).to(x.dtype) - 0.5
    with torch.no_grad():
        outcome = module(numbers)
    return isinstance(outcome, Tensor) and outcome.dtype == x.dtype and not bool(outcome.any())


@final
class JoinedSum:
    """A weighted sum of what modules make of their inputs: they are added one by one, and it is computed at the end.

    Where a weight is None it is one.
    """

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._outcomes: dict[int, tuple[Any, list[Tensor | None]]] = {}
        self._walks: list[_Walk] = []
        self._projections: list[_Projection] = []
        self._numbers: list[Tensor] = []

    def add_outcome(self, outcome: Any, weight: Tensor | None) -> None:
        """Adds what is computed already."""
        self._outcomes.setdefault(id(outcome), (outcome, []))[1].append(weight)

    def add_number(self, number: Tensor) -> None:
        """Adds a number to every pixel."""
        self._numbers.append(number)

    def add(self, module: nn.Module, x: Tensor, weight: Tensor | None) -> None:
        """Adds ``module(x)`` times ``weight``."""
        self._walks.append(self._walk(list(_chain(module)), self._laid_out(x), weight))

    def total(self) -> Any:
        """The sum."""
        # All modules are walked side by side, from one projection to the next, and these are done together.
        waiting: list[tuple[_Walk, Tensor | None]] = [(walk, None) for walk in self._walks]
        while waiting:
            stopped: list[tuple[_Walk, _Projection]] = []
            for walk, value in waiting:
                with suppress(StopIteration):
                    stopped.append((walk, walk.send(value)))
            waiting = []
            for group in _groups(stopped, lambda pair: pair[1].kind):
                values = _projected([projection for _, projection in group], summed=False)
                waiting += zip((walk for walk, _ in group), values, strict=True)
        outcomes = [outcome for outcome, _ in self._outcomes.values()]
        weights = [_together(found) for _, found in self._outcomes.values()]
        for projections in _groups(self._projections, lambda projection: projection.kind):
            (outcome,) = _projected(projections, summed=True)
            outcomes.append(unphased(outcome) if projections[0].in_phases else outcome)
            weights.append(None)
        total = _sum(outcomes, weights)
        for number in self._numbers:
            total = plus(total, number)
        return total

    def _walk(self, layers: Sequence[nn.Module], value: Tensor, weight: Tensor | None) -> _Walk:
        """Runs ``layers``; gives what it wants projected on the way, and is sent the outcome."""
        in_phases, place = False, 0
        while place < len(layers):
            layer = layers[place]
            following = layers[place + 1] if place + 1 < len(layers) else None
            projection = None if following is None else self._projection(value, layer, following, in_phases)
            if projection is not None:
                if place + 2 == len(layers):
                    self._projections.append(projection.weighted(weight))
                    return
                sent = yield projection
                assert sent is not None
                value, place = sent, place + 2
                continue
            if in_phases:
                value, in_phases = unphased(value), False
            if following is None and weight is not None and _is_scaled(layer, value):
                self.add_outcome(_scaled(layer, value, weight), None)
                return
            kind = _stateless(layer)
            if kind is not None and (following is None or type(following) in _HARMLESS):
                value = self._memo.of(value, kind, layer)
            elif type(layer) is nn.Conv2d and is_bare(layer) and has_holes(layer) and can_join(value):
                value, in_phases = self._without_holes(layer, value)
            else:
                value = layer(value)
            place += 1
        self.add_outcome(unphased(value) if in_phases else value, weight)

    def _laid_out(self, x: Tensor) -> Tensor:
        if x.is_contiguous(memory_format=torch.channels_last):
            return x
        laid_out: Tensor = self._memo.of(x, ("laid out",), _channels_last)
        return laid_out

    def _projection(self, value: Tensor, layer: nn.Module, following: nn.Module, in_phases: bool) -> _Projection | None:
        if not (type(layer) is nn.Conv2d and type(following) is nn.BatchNorm2d and _folds(layer, following, value)):
            return None
        means, covariances, calm = self._memo.of(value, ("moments",), _moments)
        return _Projection(value, layer, following, means, covariances, in_phases) if calm else None

    def _without_holes(self, layer: nn.Conv2d, value: Tensor) -> tuple[Tensor, bool]:
        if layer.stride == (2, 2):
            return without_holes(layer, self._memo.of(value, ("every second",), _every_second)), False
        if value.shape[2] % 2 or value.shape[3] % 2:
            return layer(value), False
        return without_holes(layer, self._memo.of(value, ("phases",), phases)), True


def summed(outcomes: Sequence[Any], weights: Sequence[Tensor | None]) -> Any:
    """The weighted sum of tensors, or of tuples of them, as one would write it."""
    if isinstance(outcomes[0], tuple | list):
        return type(outcomes[0])(summed(parts, weights) for parts in zip(*outcomes, strict=True))
    parts = [part if weight is None else part * weight for part, weight in zip(outcomes, weights, strict=True)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def plus(outcome: Any, number: Tensor) -> Any:
    """A number added to a tensor, or to each of a tuple."""
    if isinstance(outcome, tuple | list):
        return type(outcome)(plus(part, number) for part in outcome)
    return outcome + number


# Below: helpers in the order of use

WIDEST = 128
"""So many channels at most does a convolution have whose norm is folded into it: with more, products take longer."""
_HARMLESS = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d)
"""Layers that never change their input."""


@final
@dataclass(frozen=True)
class _Projection:
    """A 1×1 convolution and its norm, to be applied to a value of which the moments are known."""

    value: Tensor
    convolution: nn.Conv2d
    norm: nn.BatchNorm2d
    means: Tensor
    covariances: Tensor
    in_phases: bool
    weight: Tensor | None = None

    @property
    def kind(self) -> tuple[Any, ...]:
        """Those of one kind are done together."""
        return self.in_phases, self.value.shape, self.value.dtype, self.convolution.out_channels

    def weighted(self, weight: Tensor | None) -> _Projection:
        return replace(self, weight=weight)


_Walk = Generator[_Projection, Tensor | None, None]
_T = TypeVar("_T")


def _groups(things: Iterable[_T], kind: Callable[[_T], Any]) -> list[list[_T]]:
    """Things by their kind, in the order in which the kinds are met."""
    groups: dict[Any, list[_T]] = {}
    for thing in things:
        groups.setdefault(kind(thing), []).append(thing)
    return list(groups.values())


def _version(made: Any) -> int:
    return made._version if isinstance(made, Tensor) else 0


def _chain(module: nn.Module) -> Iterator[nn.Module]:
    """The layers that a module is, one after the other."""
    if type(module) is nn.Identity and is_bare(module):
        return
    plain = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward and is_bare(module)
    if not plain:
        yield module
        return
    for child in module._modules.values():
        assert child is not None
        yield from _chain(child)


def _folds(convolution: nn.Conv2d, norm: nn.BatchNorm2d, value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.dim() == 4
        and convolution.kernel_size == (1, 1)
        and convolution.stride == (1, 1)
        and convolution.padding == (0, 0)
        and convolution.groups == 1
        and convolution.bias is None
        and convolution.in_channels <= WIDEST
        and norm.training
        and norm.track_running_stats
        and norm.momentum is not None
        and norm.running_mean is not None
        and norm.running_mean.dtype == value.dtype
        and is_bare(convolution)
        and is_bare(norm)
        and value.shape[1] == convolution.in_channels
        and value.dtype == convolution.weight.dtype
        and value.numel() > value.shape[1]
    )


def _moments(value: Tensor) -> tuple[Tensor, Tensor, bool]:
    means, covariances = moments(value)
    return means, covariances, are_calm(means, covariances)


def _projected(projections: Sequence[_Projection], *, summed: bool) -> tuple[Tensor, ...]:
    """What several projections of values of one shape give, or its sum; the statistics of their norms move on."""
    weights = torch.stack([each.convolution.weight.flatten(1) for each in projections])
    means = torch.stack([each.means for each in projections])
    covariances = torch.stack([each.covariances for each in projections])
    scales, shifts = zip(*(_affine(each.norm, each.weight, weights) for each in projections), strict=True)
    eps = weights.new_tensor([[each.norm.eps] for each in projections])
    outcomes = normalized_projections(
        [each.value for each in projections],
        weights,
        torch.stack(scales),
        torch.stack(shifts),
        means,
        covariances,
        eps,
        summed=summed,
    )
    with torch.no_grad():
        count = projections[0].value.numel() // projections[0].value.shape[1]
        centers, variances = projected_moments(weights, means, covariances)
        variances = variances * (count / (count - 1))
        for each, center, variance in zip(projections, centers, variances, strict=True):
            norm = each.norm
            assert norm.running_mean is not None
            assert norm.running_var is not None
            assert norm.momentum is not None
            norm.running_mean.lerp_(center, norm.momentum)
            norm.running_var.lerp_(variance, norm.momentum)
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
    return outcomes


def _affine(norm: nn.BatchNorm2d, weight: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of a norm whose outcome is weighted."""
    scale = like.new_ones(norm.num_features) if norm.weight is None else norm.weight
    shift = like.new_zeros(norm.num_features) if norm.bias is None else norm.bias
    return (scale, shift) if weight is None else (scale * weight, shift * weight)


def _is_scaled(layer: nn.Module, value: Any) -> bool:
    """Whether a layer is a norm that can have a weight in its scale."""
    return (
        type(layer) is nn.BatchNorm2d
        and is_bare(layer)
        and layer.training
        and layer.track_running_stats
        and layer.momentum is not None
        and isinstance(value, Tensor)
        and value.dim() == 4
    )


def _scaled(layer: Any, value: Tensor, weight: Tensor) -> Tensor:
    if layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
    scale, shift = _affine(layer, weight, value)
    return functional.batch_norm(
        value, layer.running_mean, layer.running_var, scale, shift, True, layer.momentum, layer.eps
    )


def _stateless(layer: Any) -> tuple[Any, ...] | None:
    """What tells two layers apart that give the same for the same; None for those that have more to them."""
    if not is_bare(layer):
        return None
    if type(layer) is nn.ReLU and not layer.inplace:
        return ("relu",)
    if type(layer) is nn.MaxPool2d and not layer.return_indices:
        return ("max", layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode)
    if type(layer) is nn.AvgPool2d:
        return ("average", layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, layer.count_include_pad,
                layer.divisor_override)  # fmt: skip
    return None


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _every_second(x: Tensor) -> Tensor:
    return x[:, :, ::2, ::2].contiguous(memory_format=torch.channels_last)


def _together(weights: Sequence[Tensor | None]) -> Tensor | None:
    """What a tensor counts for that was added several times."""
    if len(weights) == 1:
        return weights[0]
    numbers = [weight for weight in weights if weight is not None]
    total = torch.stack(numbers).sum() if numbers else torch.zeros(())
    return total + (len(weights) - len(numbers))


def _sum(outcomes: Sequence[Any], weights: Sequence[Tensor | None]) -> Any:
    first = outcomes[0]
    shapes = {outcome.shape for outcome in outcomes if isinstance(outcome, Tensor)}
    if len(shapes) > 1:
        raise RuntimeError(f"a sum of tensors of unlike shapes: {', '.join(str(tuple(shape)) for shape in shapes)}")
    alike = all(
        isinstance(outcome, Tensor) and outcome.shape == first.shape and outcome.dtype == first.dtype
        for outcome in outcomes
    ) and all(weight is None or weight.numel() == 1 for weight in weights)
    return weighted_sum(outcomes, weights) if alike else summed(outcomes, weights)
