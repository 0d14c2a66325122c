"""Spaces that come with the package, by name, and the baselines made by hand."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.zoo.trees import Branch


@dataclass(frozen=True)
class Entry:
    """A space of the zoo: where its network stands, for which kind of data, and a line about it."""

    name: str
    kind: str
    summary: str
    module: str
    network_name: str
    starts_name: str = ""
    space_name: str = ""
    key_name: str = ""
    tree_name: str = ""
    compact: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of a search on a processor, where the network's own are those of the paper."""

    @property
    def network(self) -> Callable[..., Any]:
        """The network class, written in the words."""
        found: Callable[..., Any] = getattr(importlib.import_module(self.module), self.network_name)
        return found

    @property
    def starts(self) -> tuple[Mapping[str, Any], ...]:
        """Known-good answers, each to some or all of the decisions."""
        if not self.starts_name:
            return ()
        found: tuple[Mapping[str, Any], ...] = getattr(importlib.import_module(self.module), self.starts_name)
        return found

    def space(self, **arguments: Any) -> SearchSpace:
        """The search space, with the rules that belong to it; the arguments are the network's."""
        from netwright.space import SearchSpace

        if not self.space_name:
            return SearchSpace(self.network, **arguments)
        made: SearchSpace = getattr(importlib.import_module(self.module), self.space_name)(**arguments)
        return made

    @property
    def key(self) -> Callable[[Mapping[str, Any]], str] | None:
        """What names the network of an architecture, where several architectures are one network."""
        return getattr(importlib.import_module(self.module), self.key_name) if self.key_name else None

    @property
    def tree(self) -> Callable[[Mapping[str, Any]], Branch] | None:
        """What makes a tree of an architecture, to be drawn by :mod:`netwright.zoo.trees`; None where it is none."""
        return getattr(importlib.import_module(self.module), self.tree_name) if self.tree_name else None


SPACES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "compact-images",
            "images",
            "stages of convolutions for small devices: widths, depths, kinds of block, resolution",
            "netwright.zoo.compact",
            "CompactImages",
            "IMAGE_STARTS",
        ),
        Entry(
            "compact-audio",
            "audio",
            "the space compact-images on pictures of sounds: mel bands by frames",
            "netwright.zoo.compact",
            "CompactImages",
            "AUDIO_STARTS",
        ),
        Entry(
            "compact-tables",
            "tables",
            "perceptrons for tables: width, depth, residual or plain, norm, dropout, learning rate",
            "netwright.zoo.compact",
            "CompactTables",
            "TABLE_STARTS",
        ),
        Entry(
            "nasbench201",
            "images",
            "the cells of NAS-Bench-201 and NATS-Bench's topology space: six edges of five operations",
            "netwright.zoo.nasbench201",
            "NASBench201",
            "NASBENCH201_STARTS",
            "space",
        ),
        Entry(
            "digits-cells",
            "images",
            "small cells of NAS-Bench-201's kind, six edges of four operations: the space of the table in the package",
            "netwright.zoo.digits_cells",
            "DigitsCells",
            "DIGITS_CELLS_STARTS",
        ),
        Entry(
            "nasbench101",
            "images",
            "the cells of NAS-Bench-101: any graph of seven vertices and nine edges, three operations",
            "netwright.zoo.nasbench101",
            "NASBench101",
            space_name="space",
            key_name="hash_of",
        ),
        Entry(
            "nats-size",
            "images",
            "NATS-Bench's size space: the channels of five layers",
            "netwright.zoo.nats_size",
            "NATSSize",
            space_name="space",
        ),
        Entry(
            "nasbench-macro",
            "images",
            "NAS-Bench-Macro: eight layers, each nothing or one of two inverted bottlenecks",
            "netwright.zoo.nasbench_macro",
            "NASBenchMacro",
            space_name="space",
        ),
        Entry(
            "nasbench-graph",
            "graphs",
            "NAS-Bench-Graph: graph networks of four nodes in a tree; declared, not built",
            "netwright.zoo.nasbench_graph",
            "NASBenchGraph",
            space_name="space",
            key_name="function_of",
        ),
        Entry(
            "darts",
            "images",
            "the cells of DARTS, PC-DARTS, GDAS and DrNAS: four nodes of two inputs, seven operations, two cells",
            "netwright.zoo.darts",
            "DARTS",
            "DARTS_STARTS",
            "space",
        ),
        Entry(
            "nasnet",
            "images",
            "the cells of NASNet: five blocks of two states and two of thirteen operations, added or joined, two cells",
            "netwright.zoo.nasnet",
            "NASNet",
            "NASNET_STARTS",
            "space",
        ),
        Entry(
            "amoebanet",
            "images",
            "the cells of AmoebaNet: five blocks of two states and two of eight operations, two cells",
            "netwright.zoo.amoebanet",
            "AmoebaNet",
            "AMOEBANET_STARTS",
            "space",
        ),
        Entry(
            "pnas",
            "images",
            "the cell of PNASNet: five blocks of two states and two of eight operations, one cell for all places",
            "netwright.zoo.pnas",
            "PNASNet",
            "PNAS_STARTS",
            "space",
        ),
        Entry(
            "darts-rnn",
            "language",
            "the recurrent cell of DARTS: eight nodes that take one state and do one of four activations",
            "netwright.zoo.darts_rnn",
            "DARTSRNN",
            "DARTS_RNN_STARTS",
            "space",
            tree_name="tree",
            compact={"hidden": 64, "tied": False},
        ),
        Entry(
            "zoph-rnn",
            "language",
            "the recurrent cell of Zoph and Le: a tree of eight leaves that add or multiply, and a memory",
            "netwright.zoo.zoph_rnn",
            "ZophRNN",
            "ZOPH_RNN_STARTS",
            "space",
            tree_name="tree",
            compact={"hidden": 64, "layers": 1, "tied": False},
        ),
        Entry(
            "proxyless",
            "images",
            "ProxylessNAS: 21 inverted bottlenecks for mobile devices, each of six kinds or left out",
            "netwright.zoo.proxyless",
            "ProxylessNAS",
            "PROXYLESS_STARTS",
            "space",
        ),
        Entry(
            "enas-macro",
            "images",
            "the whole networks of ENAS: layers of six operations with skips from any layer before",
            "netwright.zoo.enas",
            "ENASMacro",
            space_name="macro_space",
        ),
        Entry(
            "enas-micro",
            "images",
            "the cells of ENAS: five nodes that add up two of five operations, in a normal and a reduction cell",
            "netwright.zoo.enas",
            "ENASMicro",
            "ENAS_MICRO_STARTS",
            "micro_space",
        ),
        Entry(
            "fbnet",
            "images",
            "FBNet: 22 layers of nine kinds each, for mobile devices",
            "netwright.zoo.fbnet",
            "FBNet",
            "FBNET_STARTS",
            "space",
        ),
        Entry(
            "mobilenetv3",
            "images",
            "MobileNetV3 and MnasNet: depths of stages, kernels, expansions and squeezing of blocks",
            "netwright.zoo.mobilenetv3",
            "MobileNetV3",
            "MOBILENETV3_STARTS",
            "space",
        ),
        Entry(
            "ofa",
            "images",
            "once-for-all: MobileNetV3 with elastic kernels, expansions and depths",
            "netwright.zoo.ofa",
            "OnceForAll",
            "OFA_STARTS",
            "space",
        ),
        Entry(
            "shufflenetv2",
            "images",
            "ShuffleNetV2 as SPOS searches it: twenty blocks of four kinds",
            "netwright.zoo.shufflenetv2",
            "ShuffleNetV2",
            "SHUFFLENETV2_STARTS",
            "space",
        ),
        Entry(
            "autoformer",
            "images",
            "AutoFormer: vision transformers with open width, depth, heads and hidden sizes",
            "netwright.zoo.autoformer",
            "AutoFormer",
            "AUTOFORMER_STARTS",
            "space",
        ),
        Entry(
            "compact-language",
            "language",
            "small language models: recurrent, convolutional or a transformer, each with its own sizes; learning rate",
            "netwright.zoo.compact_language",
            "CompactLanguage",
            "COMPACT_LANGUAGE_STARTS",
            "space",
        ),
        Entry(
            "language-transformer",
            "language",
            "decoder-only language models: width, depth, heads, hidden sizes, activations; GPT-2 is one",
            "netwright.zoo.language_transformer",
            "LanguageTransformer",
            "LANGUAGE_TRANSFORMER_STARTS",
            "space",
        ),
        Entry(
            "compact-text",
            "text",
            "small networks for texts: bags of words and pairs, convolutions, recurrent, transformers; how they train",
            "netwright.zoo.compact_text",
            "CompactText",
            "TEXT_STARTS",
            "space",
        ),
        Entry(
            "tables",
            "tables",
            "networks for tables: blocks or a small transformer; how numbers are encoded, categories embedded; sizes",
            "netwright.zoo.tables",
            "Tables",
            "TABLES_STARTS",
        ),
        Entry(
            "table-networks",
            "tables",
            "networks for tables: a perceptron, a residual network or an FT-Transformer, each with its own sizes",
            "netwright.zoo.table_networks",
            "TableNetworks",
            "TABLE_NETWORK_STARTS",
            "space",
        ),
        Entry(
            "series",
            "series",
            "networks for time series: residual, causal or recurrent, each with its own sizes",
            "netwright.zoo.series",
            "Series",
            "SERIES_STARTS",
            "space",
        ),
        Entry(
            "compact-forecast",
            "forecast",
            "small networks for forecasts: linear, perceptrons, pooled perceptrons or causal convolutions on a window",
            "netwright.zoo.compact_forecast",
            "CompactForecast",
            "FORECAST_STARTS",
        ),
        Entry(
            "several-inputs",
            "several",
            "a branch for each of several inputs, joined: images, tables, series, texts at once",
            "netwright.zoo.several",
            "SeveralInputs",
            "STARTS",
            "space",
        ),
    )
}

__all__ = ["SPACES", "Entry"]
