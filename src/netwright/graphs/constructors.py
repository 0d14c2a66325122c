"""The call that makes a module of torch.nn again, read back from the module's attributes."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from netwright.graphs.layout import Group, Text
from netwright.graphs.literals import Unwritable, literal

_EMPTY = inspect.Parameter.empty
_OWN = set(nn.Module().__dict__)
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


def constructor(module: nn.Module) -> Text:
    """The text of the call, for instance ``nn.Conv2d(3, 16, 3, padding=1)``.

    The class must be torch.nn's own. The call is made once, on the meta device, and what it makes is compared with
    the module, attribute by attribute: :class:`Unwritable` if they differ, or if an argument cannot be read back.
    """
    found = arguments(module)
    # `3` reads better than `(3, 3)`, where it makes the same layer.
    short = {name: _short(name, value) for name, value in found.items()}
    defaults = _parameters(type(module))
    short = {name: value for name, value in short.items() if not _is(value, defaults.get(name, _EMPTY))}
    different = _check(module, short)
    if different is None:
        return _text(type(module), short)
    different = _check(module, found)
    if different is None:
        return _text(type(module), found)
    raise Unwritable(f"nn.{type(module).__name__} with another {different}")


def _check(module: nn.Module, found: Mapping[str, Any]) -> str | None:
    """What differs between the module and the one that these arguments make."""
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = type(module)(**found)
    except Exception as error:
        raise Unwritable(f"nn.{type(module).__name__}, which cannot be made again ({error})") from error
    return _difference(module, again)


def arguments(module: nn.Module) -> dict[str, Any]:
    """The arguments of a torch.nn module that are not their defaults, by name, in the order of the signature."""
    cls = type(module)
    if getattr(nn, cls.__name__, None) is not cls or issubclass(cls, _CONTAINERS):
        raise Unwritable(f"{cls.__module__}.{cls.__qualname__}, which is not a layer of torch.nn")
    if _has_hooks(module):
        raise Unwritable(f"nn.{cls.__name__} with hooks")
    try:
        special = {name: read(module) for name, read in _SPECIAL.get(cls, _NONE).items()}
    except AttributeError as error:
        raise Unwritable(f"nn.{cls.__name__} that was changed: {error}") from error
    found: dict[str, Any] = {}
    for name, default in _parameters(cls).items():
        if name in special:
            value = special[name]
        elif name == "bias" and not _affine(module):
            # Asked for or not: without weights there is none.
            continue
        elif name in module._parameters or name in module._buffers:
            value = getattr(module, name) is not None
        elif name in module.__dict__:
            value = module.__dict__[name]
        elif default is not _EMPTY:
            continue
        else:
            raise Unwritable(f"nn.{cls.__name__}, whose argument '{name}' cannot be read back")
        if not _is(value, default):
            found[name] = value
    dtypes = {value.dtype for value in module.parameters() if value.is_floating_point()}
    if dtypes - {torch.float32}:
        if len(dtypes) > 1 or "dtype" not in inspect.signature(cls.__init__).parameters:
            raise Unwritable(f"nn.{cls.__name__} of {', '.join(sorted(map(str, dtypes)))}")
        found["dtype"] = dtypes.pop()
    return found


def _text(cls: type[nn.Module], found: Mapping[str, Any]) -> Text:
    positional = [name for name, default in _parameters(cls).items() if default is _EMPTY]
    items: list[tuple[str, Text]] = []
    leading = True
    for name, value in found.items():
        # Positional as long as nothing before was left out: `kernel_size`, but `padding=1`.
        leading = leading and name in positional
        items.append(("" if leading else f"{name}=", _argument(value)))
    return Group(f"nn.{cls.__name__}(", tuple(items), ")")


def _argument(value: Any) -> Text:
    if isinstance(value, nn.Module):
        return constructor(value)
    name = getattr(value, "__name__", "")
    if callable(value) and getattr(functional, name, None) is value:
        return literal(name)
    return literal(value)


def _is(value: Any, default: Any) -> bool:
    return default is not _EMPTY and type(value) is type(default) and bool(value == default)


def _short(name: str, value: Any) -> Any:
    if name in _SIZES and isinstance(value, tuple) and value and all(item == value[0] for item in value):
        return value[0]
    return value


def _parameters(cls: type[nn.Module]) -> dict[str, Any]:
    if cls in _VARIADIC:
        return _VARIADIC[cls]
    found: dict[str, Any] = {}
    if cls.__init__ is nn.Module.__init__:
        return found
    for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if name.startswith("_") or cls is nn.Identity:
                continue
            raise Unwritable(f"nn.{cls.__name__}, which takes any arguments")
        if name not in ("device", "dtype") and not name.startswith("_"):
            found[name] = parameter.default
    return found


def _affine(module: nn.Module) -> bool:
    return bool(module.__dict__.get("affine", module.__dict__.get("elementwise_affine", True)))


def _has_hooks(module: nn.Module) -> bool:
    return any(
        held for name, held in module.__dict__.items() if name.endswith("_hooks") and "state_dict" not in name
    )


def _difference(one: nn.Module, two: nn.Module) -> str | None:
    if type(one) is not type(two):
        return "class"
    for held in ("_parameters", "_buffers"):
        mine, other = getattr(one, held), getattr(two, held)
        if mine.keys() != other.keys():
            return f"set of {held[1:]}"
        for name, value in mine.items():
            if (value is None) != (other[name] is None):
                return str(name)
            if value is not None and (value.shape != other[name].shape or value.dtype != other[name].dtype):
                return str(name)
    if one._non_persistent_buffers_set != two._non_persistent_buffers_set:
        return "set of persistent buffers"
    mine, other = _attributes(one), _attributes(two)
    if mine.keys() != other.keys():
        return ", ".join(sorted(mine.keys() ^ other.keys()))
    for name, value in mine.items():
        if type(value) is not type(other[name]) or value != other[name]:
            return str(name)
    if one._modules.keys() != two._modules.keys():
        return "set of modules"
    for name, child in one._modules.items():
        second = two._modules[name]
        if (child is None) != (second is None):
            return name
        if child is not None and second is not None:
            if _has_hooks(child):
                return f"{name} (it has hooks)"
            inside = _difference(child, second)
            if inside:
                return f"{name}.{inside}"
    return None


def _attributes(module: nn.Module) -> dict[str, Any]:
    # The flat weights of a recurrent layer are its parameters once more.
    return {
        name: value
        for name, value in module.__dict__.items()
        if name not in _OWN and not name.startswith(("_flat_weight", "_is_full_backward"))
    }


def _recurrent(**more: Any) -> dict[str, Any]:
    return {
        "input_size": _EMPTY,
        "hidden_size": _EMPTY,
        "num_layers": 1,
        **more,
        "bias": True,
        "batch_first": False,
        "dropout": 0.0,
        "bidirectional": False,
    }


# These take any arguments and hand them on: their own are written here.
_VARIADIC: dict[type[nn.Module], dict[str, Any]] = {
    nn.RNN: _recurrent(nonlinearity="tanh"),
    nn.GRU: _recurrent(),
    nn.LSTM: {**_recurrent(), "proj_size": 0},
}

_SIZES = {"kernel_size", "stride", "padding", "dilation", "output_padding", "normalized_shape"}

_Readers = dict[str, Callable[[Any], Any]]
_NONE: _Readers = {}
_TRANSFORMER_LAYER: _Readers = {
    "d_model": lambda layer: layer.self_attn.embed_dim,
    "nhead": lambda layer: layer.self_attn.num_heads,
    "dim_feedforward": lambda layer: layer.linear1.out_features,
    "dropout": lambda layer: layer.dropout.p,
    "activation": lambda layer: layer.activation,
    "layer_norm_eps": lambda layer: layer.norm1.eps,
    "batch_first": lambda layer: layer.self_attn.batch_first,
    "bias": lambda layer: layer.linear1.bias is not None,
}
_STACK: _Readers = {"norm": lambda stack: stack.norm}

_POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool2d, nn.AvgPool3d, nn.LPPool1d, nn.LPPool2d, nn.LPPool3d,
)  # fmt: skip

# Arguments that are not kept under their own name.
_SPECIAL: dict[type[nn.Module], _Readers] = {
    nn.RNN: {"nonlinearity": lambda layer: layer.mode.removeprefix("RNN_").lower()},
    nn.MultiheadAttention: {
        "bias": lambda layer: layer.in_proj_bias is not None,
        "add_bias_kv": lambda layer: layer.bias_k is not None,
        "kdim": lambda layer: None if layer.kdim == layer.embed_dim else layer.kdim,
        "vdim": lambda layer: None if layer.vdim == layer.embed_dim else layer.vdim,
    },
    nn.TransformerEncoderLayer: _TRANSFORMER_LAYER,
    nn.TransformerDecoderLayer: _TRANSFORMER_LAYER,
    nn.TransformerEncoder: {**_STACK, "encoder_layer": lambda stack: stack.layers[0]},
    nn.TransformerDecoder: {**_STACK, "decoder_layer": lambda stack: stack.layers[0]},
    **{pool: {"stride": lambda layer: None if layer.stride == layer.kernel_size else layer.stride} for pool in _POOLS},
}
