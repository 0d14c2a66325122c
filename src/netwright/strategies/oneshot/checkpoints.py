"""A one-shot search in a file: the weights, and all that a method needs to go on as if it had never stopped.

One safetensors file holds everything, so that it is of one moment: tensors under names of their own, and the rest as
JSON in the bytes of the tensor ``about``. Nothing in it is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netwright import strict_json
from netwright.errors import InputError, StoreError
from netwright.strategies.oneshot.method import Method, Stateful
from netwright.supernet.supernet import Supernet
from netwright.training.weights import load_weights, save_weights

FORMAT = 1
ABOUT = "about"
WEIGHTS = "supernet:"
NEEDED = ("space", "method", "data", "steps", "losses", "running", "stopped", "seconds", "health", "values", "said")


def save(path: Path, supernet: Supernet, method: Method, about: Mapping[str, Any]) -> None:
    """Writes a search to ``path``; durable when it returns, and the copy before it stays beside it."""
    tensors = {WEIGHTS + name: tensor for name, tensor in supernet.checkpoint().items()}
    values: dict[str, Any] = {}
    for name, part in method.stateful.items():
        parts, values[name] = _taken_apart(part)
        tensors |= {f"{name}:{key}": tensor for key, tensor in parts.items()}
    told = {**about, "format": FORMAT, "values": values, "said": dict(method.said())}
    tensors[ABOUT] = torch.frombuffer(bytearray(strict_json.dumps(told).encode()), dtype=torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, tensors)


def read(path: Path) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """What a file holds. StoreError where it is damaged, InputError where it is of another version."""
    loaded = load_weights(path)
    if ABOUT not in loaded:
        raise InputError(f"{path} is no checkpoint of a one-shot search", hint="It holds the weights of one network")
    about = strict_json.loads(bytes(loaded[ABOUT].tolist()), what=f"the description in {path}")
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        raise InputError(
            f"{path} is a checkpoint of format {found}, and this version reads {FORMAT}",
            hint="Train the supernet again, or use the version of netwright that wrote it",
        )
    missing = [name for name in NEEDED if name not in about]
    steps = about.get("steps")
    if missing or not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
        what = f"lacks {', '.join(missing)}" if missing else f"says {steps!r} steps"
        raise StoreError(f"the checkpoint in {path} {what}", hint="Remove it: the supernet is then trained anew")
    return about, loaded


def put_back(about: Mapping[str, Any], tensors: Mapping[str, Tensor], supernet: Supernet, method: Method) -> None:
    """Makes a supernet, and a method that has started, what they were."""
    try:
        method.reshape(about["said"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"the checkpoint does not say how far the method's stages are: {error}") from None
    supernet.restore({name[len(WEIGHTS) :]: tensor for name, tensor in tensors.items() if name.startswith(WEIGHTS)})
    for name, part in method.stateful.items():
        own = {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}:")}
        try:
            _put_together(part, own, about["values"][name])
        except (KeyError, ValueError, RuntimeError) as error:
            raise StoreError(f"the checkpoint does not hold the method's {name}: {error}") from None
    method.recall(about["said"])


def _taken_apart(part: Stateful) -> tuple[dict[str, Tensor], Any]:
    """The tensors of something that has state, and the rest of it as JSON."""
    if isinstance(part, torch.Generator):
        return {"state": part.get_state()}, None
    if isinstance(part, nn.Module):
        return {name: tensor.detach().clone() for name, tensor in part.state_dict().items()}, None
    state = part.state_dict()
    tensors: dict[str, Tensor] = {}
    rest: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        rest[str(index)] = {key: value for key, value in entries.items() if not isinstance(value, Tensor)}
        tensors |= {f"{index}:{key}": value.clone() for key, value in entries.items() if isinstance(value, Tensor)}
    return tensors, {"state": rest, "groups": state["param_groups"]}


def _put_together(part: Stateful, tensors: Mapping[str, Tensor], values: Any) -> None:
    if isinstance(part, torch.Generator):
        part.set_state(tensors["state"].to(torch.uint8))
    elif isinstance(part, nn.Module):
        part.load_state_dict(dict(tensors))
    else:
        state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in values["state"].items()}
        for name, tensor in tensors.items():
            index, _, key = name.partition(":")
            state[int(index)][key] = tensor
        own = part.state_dict()["param_groups"]
        groups = [
            {key: tuple(value) if isinstance(mine.get(key), tuple) else value for key, value in group.items()}
            for group, mine in zip(values["groups"], own, strict=True)
        ]
        part.load_state_dict({"state": state, "param_groups": groups})
