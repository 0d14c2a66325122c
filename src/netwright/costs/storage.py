"""The size of a network's weights as a file."""

from __future__ import annotations

import json

from torch import nn

from netwright.costs.base import Example

_NAMES = {
    "uint64": "U64", "int64": "I64", "float64": "F64", "complex64": "C64", "float32": "F32", "uint32": "U32",
    "int32": "I32", "bfloat16": "BF16", "float16": "F16", "uint16": "U16", "int16": "I16", "int8": "I8", "uint8": "U8",
    "bool": "BOOL",
}  # fmt: skip
"""In the order of the file."""


def size_mb(network: nn.Module, example: Example | None = None) -> float:
    """Megabytes (of 1,000,000 bytes) of ``weights.safetensors``: parameters, buffers, and the head of the file.

    To the byte what a search writes; no weight is read for it, and the example is not needed. What is held in several
    places is written as often.
    """
    order = list(_NAMES)
    tensors = [(name, value, str(value.dtype).removeprefix("torch.")) for name, value in network.state_dict().items()]
    tensors.sort(key=lambda each: (order.index(each[2]) if each[2] in order else len(order), each[0]))
    head: dict[str, object] = {}
    end = 0
    for name, tensor, dtype in tensors:
        size = tensor.numel() * tensor.dtype.itemsize
        head[name] = {
            "dtype": _NAMES.get(dtype, dtype),
            "shape": list(tensor.shape),
            "data_offsets": [end, end + size],
        }
        end += size
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    # The head begins with its length and is filled up to a multiple of eight.
    return (8 + -(-len(text) // 8) * 8 + end) / 1e6
