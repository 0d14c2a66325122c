"""Convolutions computed in another way than torch does, for the same result: what mixtures spend most of their time on.

Everything here is for images in the layout ``torch.channels_last`` on a CPU, where a pixel's channels lie side by side.
Results equal those of the layers themselves up to rounding; gradients of gradients are taken the plain way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

CALM = 1e3
"""So many times its variance may the square of a channel's mean be for products of pixels to tell its variance."""


def phases(x: Tensor) -> Tensor:
    """The images (N, C, H, W) of even size as four times as many of half the size: each second pixel, from each start.

    What a convolution of dilation 2 makes of an image is what the same convolution without holes makes of these four.
    """
    n, c, h, w = x.shape
    parts = x.permute(0, 2, 3, 1).reshape(n, h // 2, 2, w // 2, 2, c).permute(2, 4, 0, 1, 3, 5)
    return parts.reshape(4 * n, h // 2, w // 2, c).permute(0, 3, 1, 2)


def unphased(x: Tensor) -> Tensor:
    """The images of which these are the :func:`phases`."""
    n, c, h, w = x.shape
    parts = x.permute(0, 2, 3, 1).reshape(2, 2, n // 4, h, w, c).permute(2, 3, 0, 4, 1, 5)
    return parts.reshape(n // 4, 2 * h, 2 * w, c).permute(0, 3, 1, 2)


def has_holes(convolution: nn.Conv2d) -> bool:
    """Whether a convolution is of dilation 2 and keeps the size, or halves it: it needs no holes on other images."""
    kernel = convolution.kernel_size
    return (
        convolution.dilation == (2, 2)
        and convolution.stride in ((1, 1), (2, 2))
        and convolution.padding == (kernel[0] - 1, kernel[1] - 1)
        and kernel[0] % 2 == kernel[1] % 2 == 1
        and convolution.padding_mode == "zeros"
    )


def without_holes(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """What a convolution with holes gives, of the :func:`phases` of its input, or of each second pixel for stride 2.

    torch's own gradients for kernels with holes take up to ten times as long.
    """
    kernel = convolution.kernel_size
    padding = (kernel[0] // 2, kernel[1] // 2)
    height, width = x.shape[2:]
    # Images smaller than the kernel have a slow gradient too.
    missing = (max(0, kernel[0] - height), max(0, kernel[1] - width))
    if any(missing):
        x = functional.pad(x, (0, missing[1], 0, missing[0]))
    y = functional.conv2d(x, convolution.weight, convolution.bias, 1, padding, 1, convolution.groups)
    return y[:, :, :height, :width].contiguous(memory_format=torch.channels_last) if any(missing) else y


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C) and covariance (C, C) of the pixels of images, without a gradient."""
    with torch.no_grad():
        rows = _rows(x)
        count = len(rows)
        mean = rows.new_full((1, count), 1 / count).mm(rows)
        return mean[0], torch.addmm(mean.t() * mean, rows.t(), rows, beta=-1, alpha=1 / count)


def are_calm(means: Tensor, covariances: Tensor) -> bool:
    """Whether the variances found by :func:`moments` can be trusted: no mean is far from zero, measured by them."""
    return bool((means.square() <= CALM * covariances.diagonal(dim1=-2, dim2=-1)).all())


def normalized_projections(
    inputs: Sequence[Tensor], weights: Tensor, scales: Tensor, shifts: Tensor, means: Tensor, covariances: Tensor,
    eps: Tensor, *, summed: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    """A 1×1 convolution and a BatchNorm in training for each of several ``inputs``, or the sum of what they give.

    ``inputs`` are T images (N, C, H, W), ``weights`` (T, O, C), ``scales``, ``shifts`` and ``eps`` (T, O), and the
    :func:`moments` (T, C) and (T, C, C). A norm subtracts and divides by what follows from these and the weights:
    it is folded into the convolution, and neither it nor the separate outcomes are ever computed.
    """
    outcomes: tuple[Tensor, ...] = _Projections.apply(  # type: ignore[no-untyped-call]
        summed, means, covariances, eps, weights, scales, shifts, *inputs
    )
    return outcomes


def projected_moments(weights: Tensor, means: Tensor, covariances: Tensor) -> tuple[Tensor, Tensor]:
    """Means and variances (T, O) of what 1×1 convolutions give."""
    projected = weights @ covariances
    return (weights @ means.unsqueeze(-1)).squeeze(-1), (projected * weights).sum(-1).clamp_min(0)


@final
class _Projections(torch.autograd.Function):
    """With W' = s W, b' = β - s W m and s = γ / sqrt(diag(W K Wᵀ) + ε), each outcome is x W'ᵀ + b'."""

    @staticmethod
    def forward(
        ctx: Any, summed: bool, means: Tensor, covariances: Tensor, eps: Tensor, weights: Tensor, scales: Tensor,
        shifts: Tensor, *inputs: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        centers, variances = projected_moments(weights, means, covariances)
        inverse = (variances + eps).rsqrt()
        factors = scales * inverse
        folded = factors.unsqueeze(-1) * weights
        moved = shifts - factors * centers
        if summed:
            outcomes = [torch.addmm(moved.sum(0), _rows(inputs[0]), folded[0].t())]
            for x, own in zip(inputs[1:], folded[1:], strict=True):
                outcomes[0].addmm_(_rows(x), own.t())
        else:
            parts = zip(moved, inputs, folded, strict=True)
            outcomes = [torch.addmm(number, _rows(x), own.t()) for number, x, own in parts]
        ctx.summed = summed
        ctx.save_for_backward(means, covariances, eps, inverse, centers, weights, scales, shifts, *inputs)
        return tuple(_images(outcome, inputs[0]) for outcome in outcomes)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        means, covariances, eps, inverse, centers, weights, scales, shifts, *inputs = ctx.saved_tensors
        if torch.is_grad_enabled():
            plain = partial(_plain_projections, ctx.summed, eps)
            return _slowly(ctx, gradients, plain, 4, (weights, scales, shifts, *inputs))
        rows = [_rows(gradient) for gradient in gradients]
        count = len(rows[0])
        sums = torch.stack([own.sum(0) for own in rows])
        if ctx.summed:
            rows, sums = rows * len(inputs), sums.expand_as(scales)
        factors = scales * inverse
        folded = factors.unsqueeze(-1) * weights
        slopes = torch.empty_like(weights)
        for place, x in enumerate(inputs):
            torch.mm(rows[place].t(), _rows(x), out=slopes[place])
        of_factors = (slopes * weights).sum(-1) - sums * centers
        weighted = (-0.5 * of_factors * scales * inverse**3).unsqueeze(-1) * weights
        of_covariances = weights.mT @ weighted
        moved = factors * sums
        of_weights = factors.unsqueeze(-1) * slopes - moved.unsqueeze(-1) * means.unsqueeze(-2)
        of_weights = of_weights + 2 * weighted @ covariances
        # The mean counts by itself, and within the covariance.
        of_means = weights.mT @ moved.unsqueeze(-1) + 2 * of_covariances @ means.unsqueeze(-1)
        of_means = of_means.squeeze(-1) / -count
        mixing = of_covariances * (2 / count)
        found: list[Tensor | None] = [None] * len(inputs)
        for place, x in enumerate(inputs):
            if ctx.needs_input_grad[7 + place]:
                own = torch.addmm(of_means[place], _rows(x), mixing[place]).addmm_(rows[place], folded[place])
                found[place] = _images(own, x)
        return None, None, None, None, of_weights, of_factors * inverse, sums, *found


def _plain_projections(
    summed: bool, eps: Tensor, weights: Tensor, scales: Tensor, shifts: Tensor, *inputs: Tensor
) -> tuple[Tensor, ...]:
    parts = []
    for place, x in enumerate(inputs):
        y = functional.conv2d(x, weights[place][:, :, None, None])
        variance, mean = torch.var_mean(y, (0, 2, 3), correction=0)
        factor = scales[place] * (variance + eps[place]).rsqrt()
        parts.append((y - mean[:, None, None]) * factor[:, None, None] + shifts[place][:, None, None])
    return (torch.stack(parts).sum(0),) if summed else tuple(parts)


def weighted_sum(tensors: Sequence[Tensor], weights: Sequence[Tensor | None]) -> Tensor:
    """The sum of ``tensors`` of one shape, each times a number (None is one), with one pass over each of them."""
    if len(tensors) == 1:
        return tensors[0] if weights[0] is None else tensors[0] * weights[0]
    total: Tensor = _WeightedSum.apply(len(tensors), *tensors, *weights)  # type: ignore[no-untyped-call]
    return total


@final
class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, count: int, *arguments: Any) -> Tensor:
        tensors, weights = arguments[:count], arguments[count:]
        numbers = [1.0 if weight is None else float(weight) for weight in weights]
        total = torch.mul(tensors[0], numbers[0])
        for tensor, number in zip(tensors[1:], numbers[1:], strict=True):
            total.add_(tensor, alpha=number)
        ctx.numbers = numbers
        ctx.save_for_backward(*arguments)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient, count = gradients[0], len(ctx.numbers)
        # Asked for once: where activations are computed again, it is only possible once.
        saved = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _slowly(ctx, gradients, _plain_sum, 1, saved)
        tensors, weights = saved[:count], saved[count:]
        needed = ctx.needs_input_grad[1:]
        found: list[Tensor | None] = []
        for number, need in zip(ctx.numbers, needed[:count], strict=True):
            found.append((gradient if number == 1.0 else gradient * number) if need else None)
        for tensor, weight, need in zip(tensors, weights, needed[count:], strict=True):
            found.append(_dot(tensor, gradient).reshape(weight.shape) if need else None)
        return None, *found


def _plain_sum(*arguments: Any) -> tuple[Tensor]:
    count = len(arguments) // 2
    pairs = zip(arguments[:count], arguments[count:], strict=True)
    return (torch.stack([tensor if weight is None else tensor * weight for tensor, weight in pairs]).sum(0),)


def _slowly(
    ctx: Any,
    gradients: Sequence[Tensor],
    plain: Callable[..., tuple[Tensor, ...]],
    skipped: int,
    arguments: Sequence[Tensor | None],
) -> tuple[Tensor | None, ...]:
    """Gradients by torch's own operations, which have gradients themselves; none for the first few arguments."""
    wanted = [place for place, need in enumerate(ctx.needs_input_grad[skipped:]) if need]
    with torch.enable_grad():
        targets = [tensor for place, tensor in enumerate(arguments) if place in wanted and tensor is not None]
        found = torch.autograd.grad(plain(*arguments), targets, gradients, create_graph=True)
    by_place = dict(zip(wanted, found, strict=True))
    return (None,) * skipped + tuple(by_place.get(place) for place in range(len(arguments)))


def _rows(x: Tensor) -> Tensor:
    """The pixels (N·H·W, C) of images; a view where they are channels last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _images(rows: Tensor, like: Tensor) -> Tensor:
    """Pixels as images of the size of others."""
    n, _, h, w = like.shape
    return rows.view(n, h, w, -1).permute(0, 3, 1, 2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    if a.dim() == 4:
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)
    return torch.dot(a.reshape(-1), b.reshape(-1))
