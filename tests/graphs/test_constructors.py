"""Layers of torch.nn are written as the calls that make them again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netwright.graphs.constructors import constructor
from netwright.graphs.literals import Unwritable

CALLS = [
    "nn.Conv1d(2, 4, 3)",
    "nn.Conv2d(2, 4, (3, 1), stride=2, padding=(1, 0), bias=False)",
    'nn.Conv2d(4, 4, 3, padding="same", dilation=2, groups=2, padding_mode="circular")',
    "nn.Conv3d(1, 2, 3)",
    "nn.ConvTranspose1d(2, 4, 3)",
    "nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False)",
    "nn.ConvTranspose3d(1, 2, 2)",
    "nn.Linear(3, 4)",
    "nn.Linear(3, 4, bias=False)",
    "nn.Linear(3, 4, dtype=torch.float64)",
    "nn.Bilinear(2, 3, 4)",
    "nn.Identity()",
    "nn.BatchNorm1d(3)",
    "nn.BatchNorm2d(3, eps=0.001, momentum=None)",
    "nn.BatchNorm3d(3, affine=False, track_running_stats=False)",
    "nn.SyncBatchNorm(3)",
    "nn.InstanceNorm2d(3, affine=True)",
    "nn.GroupNorm(2, 4, affine=False)",
    "nn.LayerNorm(3)",
    "nn.LayerNorm((3, 4), bias=False)",
    "nn.LayerNorm(3, elementwise_affine=False)",
    "nn.RMSNorm(3, eps=0.1)",
    "nn.LocalResponseNorm(2, alpha=0.1)",
    "nn.ReLU()",
    "nn.ReLU(inplace=True)",
    "nn.ReLU6()",
    "nn.LeakyReLU(negative_slope=0.2)",
    "nn.ELU(alpha=0.5)",
    "nn.CELU()",
    "nn.SELU()",
    'nn.GELU(approximate="tanh")',
    "nn.SiLU()",
    "nn.Mish()",
    "nn.Hardswish()",
    "nn.Hardsigmoid()",
    "nn.Hardtanh(min_val=-2, max_val=3)",
    "nn.Tanh()",
    "nn.Sigmoid()",
    "nn.LogSigmoid()",
    "nn.Softplus(beta=2.0)",
    "nn.Softsign()",
    "nn.Softmax(dim=1)",
    "nn.LogSoftmax(dim=-1)",
    "nn.Softmin(dim=1)",
    "nn.Threshold(0.1, 2)",
    "nn.GLU(dim=1)",
    "nn.PReLU(num_parameters=4)",
    "nn.RReLU(lower=0.1)",
    "nn.MaxPool1d(2)",
    "nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)",
    "nn.AvgPool1d(2, stride=1)",
    "nn.AvgPool2d(2, count_include_pad=False)",
    "nn.LPPool2d(2, 3)",
    "nn.AdaptiveAvgPool2d((1, None))",
    "nn.AdaptiveMaxPool1d(4)",
    "nn.Dropout(p=0.1)",
    "nn.Dropout2d()",
    "nn.AlphaDropout(p=0.2)",
    "nn.Embedding(10, 4, padding_idx=0)",
    'nn.EmbeddingBag(10, 4, mode="sum")',
    "nn.Flatten()",
    "nn.Flatten(start_dim=2)",
    "nn.Unflatten(1, (2, 3))",
    "nn.PixelShuffle(2)",
    "nn.PixelUnshuffle(2)",
    "nn.ChannelShuffle(2)",
    'nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True)',
    "nn.UpsamplingNearest2d(size=4)",
    "nn.ZeroPad2d((1, 0, 1, 0))",
    "nn.ConstantPad1d((1, 2), 0.5)",
    "nn.ReflectionPad2d((1, 1, 2, 1))",
    "nn.Unfold(3, padding=1)",
    "nn.Fold((4, 4), 2)",
    "nn.CosineSimilarity(dim=2)",
    "nn.LSTM(3, 4)",
    "nn.LSTM(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.1, bidirectional=True, proj_size=2)",
    "nn.GRU(3, 4, batch_first=True)",
    'nn.RNN(3, 4, nonlinearity="relu")',
    "nn.LSTMCell(3, 4)",
    "nn.GRUCell(3, 4, bias=False)",
    'nn.RNNCell(3, 4, nonlinearity="relu")',
    "nn.MultiheadAttention(8, 2)",
    "nn.MultiheadAttention(8, 2, dropout=0.1, bias=False, add_bias_kv=True, kdim=4, batch_first=True)",
    "nn.TransformerEncoderLayer(8, 2)",
    'nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, activation="gelu", norm_first=True, bias=False)',
    "nn.TransformerDecoderLayer(8, 2, dropout=0.2, batch_first=True)",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 2, norm=nn.LayerNorm(8))",
]


def make(call: str) -> nn.Module:
    return eval(call, {"nn": nn, "torch": torch})  # noqa: S307  # the calls above


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_calls_are_read_back(call: str) -> None:
    """The text is the call itself, defaults left out."""
    assert str(constructor(make(call))) == call


def _hooked() -> nn.Module:
    layer = nn.Linear(2, 2)
    layer.register_forward_pre_hook(lambda module, args: args)
    return layer


def _resized() -> nn.Module:
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(torch.zeros(5, 2))
    return layer


def _replaced() -> nn.Module:
    layer = nn.TransformerEncoderLayer(4, 2)
    layer.norm1 = nn.Identity()
    return layer


def _overridden() -> nn.Module:
    layer = nn.ReLU()
    layer.forward = torch.tanh
    return layer


class Own(nn.Linear):
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_hooked, "with hooks"),
        (_resized, "another weight"),
        (_replaced, "that was changed"),
        (_overridden, "another forward"),
        (lambda: Own(2, 2), "not a layer of torch.nn"),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "not a layer of torch.nn"),
        (lambda: nn.Sequential(), "not a layer of torch.nn"),
    ],
)
def test_changed_layers_are_refused(make, message: str) -> None:
    """What another call would not give back has no text, and the reason is told."""
    with pytest.raises(Unwritable, match=message):
        constructor(make())
