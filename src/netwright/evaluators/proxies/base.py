"""What a proxy is, and how a network is lent to one and given back as it was found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.errors import InputError, NetwrightError
from netwright.training.loop import out_of_memory

Loss = Callable[[Tensor, Tensor], Tensor]
"""From the network's answers and the targets to a number: the mean over the batch."""
Mode = Literal["train", "eval"]
NO_DECOMPOSITION = (np.linalg.LinAlgError, torch.linalg.LinAlgError)  # type: ignore[attr-defined]
"""What NumPy and torch raise where a matrix has none."""
IGNORED = -100
"""The class that cross-entropy leaves out."""


class ProxyFailed(NetwrightError):
    """A proxy has no number for this network; among others such a network ranks last."""


@final
@dataclass(frozen=True)
class Proxy:
    """A number for an untrained network that goes, more or less, with how well the network will do.

    Called as ``proxy(network, inputs, targets, generator=generator)`` it answers with a finite float and leaves the
    network as it was (:func:`untouched`). ``inputs`` are a batch, its first dimension counts examples, and ``targets``
    their classes (whole numbers) or values. ``loss`` is cross-entropy for classes and the mean square for values
    where none is given. All that is drawn, dropout too, comes from ``generator`` (seed 0 where none is given).

    ``direction`` is the side on which better networks are expected. ``wants`` says what the proxy looks at besides the
    network; what it does not look at may be anything of the right shape. ``batch`` is the usual number of examples,
    ``mode`` that of BatchNorm and dropout, ``passes`` about how many forward passes over a batch it costs (a backward
    pass counts as two). Raises :class:`ProxyFailed`, with the reason, where there is no number: no weights, no
    activations, constant gradients, NaN or infinity; and InputError for a batch that is none, for targets that do not
    go with it and for one that the network cannot take.
    """

    name: str
    function: Callable[..., float] = field(repr=False)
    direction: Literal["maximize", "minimize"]
    wants: tuple[Literal["shape", "inputs", "targets"], ...]
    mode: Mode
    batch: int
    passes: float
    source: str

    @property
    def higher_is_better(self) -> bool:
        """Whether larger values are expected of better networks."""
        return self.direction == "maximize"

    def __call__(
        self,
        network: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        loss: Loss | None = None,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> float:
        self._check(inputs, targets)
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        seed = int(torch.randint(2**31, (1,), generator=generator))
        with ExitStack() as stack:
            stack.enter_context(untouched(network))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            torch.default_generator.manual_seed(seed)
            network.train(self.mode == "train")
            try:
                value = float(self.function(network, inputs, targets, loss or usual_loss, generator, **options))
            except NO_DECOMPOSITION as error:
                raise ProxyFailed(f"{self.name}: its matrix has no decomposition ({error})") from None
            except ProxyFailed as error:
                raise ProxyFailed(f"{self.name}: {error.message}") from None
        if not math.isfinite(value):
            raise ProxyFailed(f"{self.name}: it is {value} for this network")
        return value

    def _check(self, inputs: Tensor, targets: Tensor) -> None:
        """Refuses a batch without what the proxy looks at."""
        for what, given in (("inputs", inputs), ("targets", targets)):
            if what not in self.wants and not (what == "inputs" and "shape" in self.wants):
                continue
            if not isinstance(given, Tensor):
                raise InputError(f"{self.name}: {what} are a tensor, found {type(given).__name__}")
            if given.dim() < 1 or not len(given):
                raise InputError(
                    f"{self.name}: {what} are of one example or more, found a tensor of shape {tuple(given.shape)}"
                )
            if what in self.wants and not bool(torch.isfinite(given).all()):
                raise InputError(f"{self.name}: {what} are finite, found NaN or infinity among them")
        if "targets" in self.wants and len(targets) != len(inputs):
            raise InputError(
                f"{self.name}: every input has a target, found {len(inputs)} inputs and {len(targets)} targets"
            )


def proxy(
    name: str,
    *,
    wants: Sequence[Literal["shape", "inputs", "targets"]],
    passes: float,
    source: str,
    direction: Literal["maximize", "minimize"] = "maximize",
    mode: Mode = "train",
    batch: int = 64,
) -> Callable[[Callable[..., float]], Proxy]:
    """Makes a proxy of ``function(network, inputs, targets, loss, generator)``, whose docstring becomes its own."""

    def make(function: Callable[..., float]) -> Proxy:
        made = Proxy(name, function, direction, tuple(wants), mode, batch, passes, source)
        object.__setattr__(made, "__doc__", function.__doc__)
        return made

    return make


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Lends the network out: whatever is done to it inside, afterwards it is as before.

    That holds for values, gradients and ``requires_grad`` of parameters and buffers, which keep their memory too
    (inside they are copies), for all attributes of every module (mode, hooks, a replaced ``forward``), and for torch's
    generators on the devices of the network. Inside, all floating-point parameters ask for gradients and have none.
    """
    tensors = list({id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}.values())
    kept = [(tensor, tensor.data, tensor.grad, tensor.requires_grad) for tensor in tensors]
    modules = [(module, dict(module.__dict__)) for module in network.modules()]
    # Parameters, buffers, submodules and hooks stand in dictionaries of the module; an LSTM has a list of weights too.
    containers = {
        id(value): (value, value.copy())
        for _, attributes in modules
        for value in attributes.values()
        if isinstance(value, dict | list | set)
    }
    devices = list({tensor.device for tensor in tensors if tensor.device.type == "cuda"})
    parameters = {id(parameter) for parameter in network.parameters()}
    with torch.random.fork_rng(devices=devices):
        try:
            for tensor, data, _, _ in kept:
                tensor.data = data.clone()
                tensor.grad = None
                if id(tensor) in parameters and tensor.is_floating_point():
                    tensor.requires_grad_(True)
            yield
        finally:
            for module, attributes in modules:
                module.__dict__.clear()
                module.__dict__.update(attributes)
            for now, before in containers.values():
                _refill(now, before)
            for tensor, data, gradient, requires_grad in kept:
                tensor.grad = None
                tensor.data = data
                tensor.requires_grad_(requires_grad)
                tensor.grad = gradient


def _refill(now: Any, before: Any) -> None:
    now.clear()
    if isinstance(now, list):
        now.extend(before)
    else:
        now.update(before)


def usual_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy for whole numbers, else the mean square of the difference.

    InputError for targets that do not go with the answers.
    """
    answers, wanted = tuple(outputs.shape), tuple(targets.shape)
    if not outputs.is_floating_point():
        raise InputError(f"a loss is of scores, and the network answers with {outputs.dtype}")
    if targets.is_floating_point():
        if outputs.numel() != targets.numel():
            raise InputError(
                f"the network answers with a tensor of shape {answers} and the targets are values of shape {wanted}",
                hint="Targets that are classes are whole numbers (torch.int64).",
            )
        return functional.mse_loss(outputs.reshape(targets.shape), targets)
    if targets.dtype not in (torch.int64, torch.uint8):
        raise InputError(f"targets are classes (torch.int64) or floating-point values, found {targets.dtype}")
    if outputs.dim() > 2 and wanted == answers[:-1] != (answers[0], *answers[2:]):
        outputs = outputs.movedim(-1, 1)  # scores of tokens come last, torch wants them second
        answers = tuple(outputs.shape)
    if outputs.dim() < 2 or wanted != (answers[0], *answers[2:]):
        raise InputError(f"the network answers with scores of shape {answers}, and the classes are of shape {wanted}")
    known = targets[targets != IGNORED]
    if known.numel() and not 0 <= int(known.min()) <= int(known.max()) < answers[1]:
        raise InputError(
            f"the network scores {answers[1]} classes, counted from 0; targets go from {known.min()} to {known.max()}"
        )
    return functional.cross_entropy(outputs, targets)


def answer(network: nn.Module, inputs: Tensor) -> Tensor:
    """What the network answers; InputError where that is not one tensor, or where it cannot take the inputs."""
    with taking(inputs):
        outputs: Any = network(inputs)
    if not isinstance(outputs, Tensor):
        raise InputError(
            f"a proxy needs a network that answers with one tensor, found {type(outputs).__name__}",
            hint="Wrap the network so that it gives its scores alone",
        )
    return outputs


@contextmanager
def taking(inputs: Tensor) -> Iterator[None]:
    """Says of a network that stops in the middle what it was given; lack of memory is no fault of the inputs."""
    try:
        yield
    except (NetwrightError, *NO_DECOMPOSITION):
        raise
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        if out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"the network cannot take {inputs.dtype} of shape {tuple(inputs.shape)}: {reason[:200]}"
        ) from error


def weights(network: nn.Module) -> list[Tensor]:
    """The matrices and kernels of the network: its floating-point parameters of two dimensions or more, each once.

    Biases and the gains of norms are not among them, as in the papers. Raises ProxyFailed where there is none.
    """
    found: list[Tensor] = [value for value in network.parameters() if value.dim() >= 2 and value.is_floating_point()]
    if not found:
        raise ProxyFailed("the network has no weights of two dimensions or more")
    return found


def gradients(value: Tensor, of: Sequence[Tensor], *, create_graph: bool = False) -> list[Tensor]:
    """The gradient of a number by each tensor, zero for those that it does not depend on."""
    if not value.requires_grad:
        raise ProxyFailed("the network's answer depends on none of its weights")
    found = torch.autograd.grad(value, list(of), allow_unused=True, create_graph=create_graph)
    return [torch.zeros_like(tensor) if each is None else each for each, tensor in zip(found, of, strict=True)]


def noise(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, drawn on the generator's own device, so that every device gets the same."""
    drawn = torch.randn(tuple(shape), generator=generator, device=generator.device)
    return drawn.to(like.device)


def reinitialise(network: nn.Module, scheme: Literal["gaussian", "kaiming"], generator: torch.Generator) -> None:
    """Fresh weights for all convolutions and linear layers: N(0, 1), or Kaiming's normal by fan-in.

    Their biases are 0; norms have gain 1 and bias 0. Other parameters stay.
    """
    with torch.no_grad():
        for module in network.modules():
            weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
            if not isinstance(weight, Tensor):
                continue
            if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
                deviation = 1.0
                if scheme == "kaiming":
                    # Of a transposed convolution dimension 1 holds the outputs; its fan-in is taken alike.
                    deviation = math.sqrt(2.0 / max(1, weight[0].numel()))
                weight.copy_(deviation * noise(weight.shape, weight, generator))
            elif weight.dim() == 1:
                weight.fill_(1.0)
            else:
                continue
            if isinstance(bias, Tensor):
                bias.zero_()
