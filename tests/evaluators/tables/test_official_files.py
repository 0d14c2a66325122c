"""The official formats of the published benchmarks, on small files made in the same form."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netwright.errors import ArchitectureError, InputError
from netwright.evaluators.tables import Table, read_table
from netwright.evaluators.tables.tfrecord import fields, masked_crc, records
from netwright.evaluators.tables.unpickling import load_restricted
from netwright.zoo import nasbench101, nasbench_graph, nasbench_macro, nats_size

# NATS-Bench


@pytest.fixture(scope="module")
def curves(data: Path) -> list[dict[str, Any]]:
    """Three architectures with all of their runs."""
    with gzip.open(data / "nasbench201" / "nats_tss_3archs_full_curves.json.gz") as file:
        found: list[dict[str, Any]] = json.load(file)
    return found


def state(entry: dict[str, Any], schedule: str, numpy_scalars: bool = False) -> dict[str, Any]:
    """What the benchmark's ``ArchResults.state_dict`` holds of an architecture and a schedule."""
    results: dict[Any, Any] = {}
    seeds: dict[str, list[int]] = {}
    for run in entry["runs"]:
        if run["hp"] != schedule:
            continue
        seeds.setdefault(run["dataset"], []).append(run["seed"])
        accuracies = {f"{split}@{i}": x for split, found in run["eval"].items() for i, x in enumerate(found["acc"])}
        results[run["dataset"], run["seed"]] = {
            "name": "infer.tiny",
            "net_state_dict": None,
            "train_acc1es": OrderedDict(enumerate(run["train_acc"])),
            "train_acc5es": None,
            "train_losses": OrderedDict(enumerate(run["train_loss"])),
            "train_times": OrderedDict(enumerate(run["train_time_s"])),
            "arch_config": {"arch_str": entry["arch_str"], "class_num": 10},
            "params": np.float64(run["params_M"]) if numpy_scalars else run["params_M"],
            "flop": run["flops_M"],
            "seed": run["seed"],
            "epochs": run["epochs"],
            "latency": run["latency_s"],
            "eval_names": list(run["eval"]),
            "eval_acc1es": accuracies,
            "eval_times": {},
            "eval_losses": {},
        }
    return {
        "arch_index": entry["arch_index"], "arch_str": entry["arch_str"], "all_results": results,
        "dataset_seed": seeds, "clear_net_done": True,
    }  # fmt: skip


@pytest.fixture
def folder(curves: list[dict[str, Any]], tmp_path: Path) -> Path:
    """A folder like NATS-tss-v1_0-3ffb9-simple, with two architectures."""
    place = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    place.mkdir()
    texts = [entry["arch_str"] for entry in curves[:2]]
    contents: dict[str, Any] = {"meta": {"meta_archs": texts, "evaluated_indexes": [0, 1]}}
    for index, entry in enumerate(curves[:2]):
        contents[f"{index:06d}"] = {key: state(entry, key, numpy_scalars=True) for key in ("12", "200")}
    for name, value in contents.items():
        (place / f"{name}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(value, protocol=4)))
    return place


def same_numbers(read: Table, known: Table, rows: list[int]) -> None:
    """The columns that both have agree."""
    for name in (
        "cifar10.valid@12", "cifar10.valid@200", "cifar10.test@200", "cifar100.test@200", "imagenet16-120.valid@12",
        "cifar10.train_seconds@200", "cifar100.params", "cifar10.macs",
    ):  # fmt: skip
        found, expected = read.columns[name].mean, known.columns[name].mean[rows]
        assert expected.tolist() == pytest.approx(found.tolist(), abs=2e-3), name


def test_a_folder_of_nats_bench(folder: Path, nasbench201: Table) -> None:
    """Gives the numbers of the condensed table, seeds, losses and curves, over the architectures that are there."""
    table = read_table(folder)
    same_numbers(table, nasbench201, [0, 11])
    assert (2, 2) == (len(table), table.space.size)
    assert nasbench201.architecture(11) == table.architecture(1)
    assert 3 == table.column("cifar100.valtest@200").seeds
    assert 12 == len(table.curve(table.architecture(0), "cifar10.train_loss", fidelity=12, seed=1))
    with pytest.raises(ArchitectureError):
        table.row(nasbench201.architecture(1))


@pytest.mark.parametrize("new", [True, False])
def test_the_pth_file_of_nasbench201(
    curves: list[dict[str, Any]], nasbench201: Table, tmp_path: Path, new: bool
) -> None:
    """As torch.save writes it, in its old and its new form; weights in it are left out."""
    entries = {
        i: {"less": state(entry, "12"), "full": state(entry, "200")} for i, entry in enumerate(curves)
    }
    weights = OrderedDict(weight=torch.ones(3), steps=torch.tensor(2))
    next(iter(entries[0]["less"]["all_results"].values()))["net_state_dict"] = weights
    value = {"meta_archs": [entry["arch_str"] for entry in curves], "arch2infos": entries, "evaluated_indexes": {0, 1}}
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    torch.save(value, path, _use_new_zipfile_serialization=new)
    same_numbers(read_table(path), nasbench201, [0, 11, 284])


def test_the_size_space(curves: list[dict[str, Any]], tmp_path: Path) -> None:
    """Is told by its architectures, and has the channels of five layers."""
    texts = ["8:8:8:8:8", "64:8:16:24:32"]
    place = tmp_path / "NATS-sss-v1_0-50262-simple"
    place.mkdir()
    (place / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps({"meta_archs": texts})))
    for index, text in enumerate(texts):
        entry = {**curves[index], "arch_str": text}
        value = {"01": state(entry, "12"), "90": state(entry, "200")}
        (place / f"{index:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(value)))
    table = read_table(place)
    assert ("nats-size", (1, 90)) == (table.name, table.fidelities("cifar10.valid"))
    assert nats_size.from_string("64:8:16:24:32") == table.architecture(1)


def evil(function: Any, *arguments: Any) -> Any:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (function, arguments)

    return Evil()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_runs_nothing(folder: Path, tmp_path: Path, protocol: int) -> None:
    """What it would call is refused by name, wherever it stands, and no marker appears."""
    marker = tmp_path / "marker"
    value = {"meta_archs": ["a"], "arch2infos": {0: evil(os.mkdir, str(marker))}}
    path = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(value, protocol=protocol)))
    with pytest.raises(InputError, match=r"3ffb9.pickle.pbz2 asks for '(posix|nt).mkdir'.*nothing of it was run"):
        read_table(path)
    (folder / "000001.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(evil(os.mkdir, str(marker)))))
    with pytest.raises(InputError, match=r"000001.pickle.pbz2 asks for"):
        read_table(folder)
    assert not marker.exists()


@pytest.mark.parametrize(
    "value",
    [
        lambda: evil(eval, "1"), lambda: evil(getattr, "a", "b"), lambda: evil(exec, "pass"), lambda: evil(open, "x"),
        lambda: evil(__import__, "os"), lambda: torch.nn.Linear(1, 1), lambda: Path(), lambda: np.random.default_rng(0),
    ],
)  # fmt: skip
def test_only_containers_numbers_and_tensors_are_known(tmp_path: Path, value: Any) -> None:
    """Everything else has no meaning, however harmless it looks."""
    path = tmp_path / "x.pickle"
    path.write_bytes(pickle.dumps({"a": [value()]}))
    with pytest.raises(InputError, match="asks for "):
        load_restricted(path)


@pytest.mark.parametrize("protocol", [2, 4])
def test_what_the_files_hold_is_read(tmp_path: Path, protocol: int) -> None:
    """Containers and numbers of numpy come back as they were."""
    value = {"a": OrderedDict(b=[1, (2.5, None)]), "c": {3, 4}, "d": np.float64(0.25), "e": np.int32(7), ("x", 1): True}
    path = tmp_path / "x.pickle"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert value == load_restricted(path)
    path.write_bytes(pickle.dumps(np.arange(6.0).reshape(2, 3), protocol=protocol))
    assert [[0, 1, 2], [3, 4, 5]] == load_restricted(path).array.tolist()


def test_a_damaged_pickle(folder: Path) -> None:
    """Cut off, or no pickle at all, it says so."""
    path = folder / "000000.pickle.pbz2"
    data = path.read_bytes()
    for broken in (data[: len(data) // 2], b"BZh9nonsense", bz2.compress(b"nonsense"), b""):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"000000.pickle.pbz2 (is damaged|cannot be read)"):
            read_table(folder)


def test_another_object_is_refused(tmp_path: Path) -> None:
    """A pickle that is sound and none of the benchmark's."""
    path = tmp_path / "x.pickle.pbz2"
    hollow = {"meta_archs": ["a"], "arch2infos": {0: {"12": {}}}}
    for value, message in (([1], "no list 'meta_archs'"), (hollow, "KeyError: 'arch_str'")):
        path.write_bytes(bz2.compress(pickle.dumps(value)))
        with pytest.raises(InputError, match=message):
            read_table(path)


# NAS-Bench-101


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(epochs: int, seconds: float, train: float, valid: float, test: float, params: int) -> bytes:
    """A message ModelMetrics: evaluations at the start, half-way and at the end, then the parameters."""
    out = b""
    for share in (0.0, 0.5, 1.0):
        numbers = (epochs * share, seconds * share, train * share, valid * share, test * share)
        inner = b"".join(bytes([(i << 3) | 1]) + struct.pack("<d", x) for i, x in enumerate(numbers, 1))
        inner += bytes([(6 << 3) | 2]) + varint(3) + b"abc"
        out += bytes([(1 << 3) | 2]) + varint(len(inner)) + inner
    return out + bytes([2 << 3]) + varint(params) + bytes([(3 << 3) | 1]) + struct.pack("<d", 9.0)


def record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


SPECS = (
    nasbench101.Spec([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", nasbench101.CONV3X3, "output"]),
    nasbench101.Spec([[0, 1], [0, 0]], ["input", "output"]),
)


def tfrecord(path: Path, budgets: tuple[int, ...] = (4, 108)) -> Path:
    out = b""
    for index, spec in enumerate(SPECS):
        for epochs in budgets:
            for repeat in range(3):
                valid = 0.5 + 0.1 * index + 0.01 * repeat
                metrics = message(epochs, 10.0 * epochs + repeat, 0.9, valid, 0.4, 1000 + index)
                row = [
                    spec.hash, epochs, "".join(str(x) for line in spec.matrix for x in line), ",".join(spec.ops),
                    base64.b64encode(metrics).decode(),
                ]  # fmt: skip
                out += record(json.dumps(row).encode())
    path.write_bytes(out)
    return path


def test_the_tfrecord_of_nasbench101(tmp_path: Path) -> None:
    """Three repeats at each length, after the last epoch; any isomorphic cell of the space has the row."""
    table = read_table(tfrecord(tmp_path / "nasbench_full.tfrecord"))
    assert ("nasbench101", 2, (4, 108)) == (table.name, len(table), table.fidelities("valid"))
    one = table.architecture(0)
    assert [0.5, 0.51, 0.52] == pytest.approx([table.value(one, "valid", fidelity=108, seed=s) for s in range(3)])
    assert pytest.approx(1081) == table.seconds(one, "valid", fidelity=108)
    assert 1000 == table.value(one, "params", fidelity=None)
    # The same cell, its vertex in another place and another left over.
    moved = one.replace(
        edge_01=0, edge_16=0, edge_03=1, edge_36=1, op_3=nasbench101.CONV3X3, op_1=nasbench101.MAXPOOL3X3
    )
    assert 0 == table.row(moved)
    with pytest.raises(ArchitectureError):
        table.row(moved.replace(op_3=nasbench101.CONV1X1))


def test_the_crc_is_tensorflows() -> None:
    """CRC-32C of "123456789" is E3069283, masked as TensorFlow masks it."""
    crc = 0xE3069283
    assert (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF == masked_crc(b"123456789")


@pytest.mark.parametrize("cut", [5, 14, 200, -1])
def test_a_truncated_tfrecord(tmp_path: Path, cut: int) -> None:
    """Says at which byte."""
    path = tfrecord(tmp_path / "nasbench_only108.tfrecord", (108,))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"only108.tfrecord is truncated at byte [\d,]+"):
        read_table(path)


def test_a_damaged_tfrecord(tmp_path: Path) -> None:
    """A wrong checksum, a wrong message and a wrong cell are found."""
    path = tfrecord(tmp_path / "x.tfrecord", (108,))
    data = bytearray(path.read_bytes())
    data[0] ^= 1  # its length, and nothing else
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged, or no TFRecord file: at byte 0"):
        list(records(path))
    for row, said in (
        (["h", 4, "0100", "input,output", "AAAA"], "is not a file of NAS-Bench-101"),
        (["h", 4, "0100", "input,output", base64.b64encode(message(4, 1, 1, 1, 1, 5)).decode()], "has the hash"),
        (["h", 4, "0110", "input,output", base64.b64encode(message(4, 1, 1, 1, 1, 5)).decode()], "upper triangular"),
        ([1], "is not a file of NAS-Bench-101"),
    ):
        path.write_bytes(record(json.dumps(row).encode()))
        with pytest.raises(InputError, match=said):
            read_table(path)
    with pytest.raises(ValueError, match="cut off"):
        list(fields(b"\x09\x00"))


def test_ec_nas(data: Path) -> None:
    """Its 91 cells of up to four vertices are the whole space up to isomorphism, and repeats are seeds."""
    table = read_table(data / "ec_nas_bench" / "ecnas_4V9E_4epochs.npz")
    assert (91, 91) == (len(table), table.space.size)
    assert set(range(91)) == set(table.rows(table.space.enumerate()).tolist())
    assert (3, (4,)) == (table.column("valid@4").seeds, table.fidelities("energy_kwh"))
    assert ("params",) == table.costs
    assert table.column("params").mean.tolist() == [
        nasbench101.Spec.of(one).params() for one in table.architectures()
    ]


def test_keys_are_saved_with_a_table(data: Path, tmp_path: Path) -> None:
    """A saved table finds isomorphic cells too, and its keys are checked."""
    table = read_table(data / "ec_nas_bench" / "ecnas_4V9E_4epochs.npz")
    path = table.save(tmp_path / "cells.npz")
    again = read_table(path)
    assert table.keys == again.keys
    assert list(range(91)) == again.rows(table.architectures()).tolist()
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "keys": arrays["keys"][::-1]})
    with pytest.raises(InputError, match="its 'keys' are not those of its rows"):
        read_table(path)


# NAS-Bench-Macro and NAS-Bench-Graph


def test_macro(tmp_path: Path) -> None:
    """The official JSON: single trainings as seeds, costs, digits as architectures."""
    path = tmp_path / "nas-bench-macro_cifar10.json"
    row = {"test_acc": [92.0, 93.0, 94.0], "mean_acc": 93.0, "std": 1.0, "params": 1000, "flops": 2000}
    path.write_text(json.dumps({"00000000": row, "01201200": {**row, "params": 5000}}))
    table = read_table(path)
    one = nasbench_macro.from_string("01201200")
    assert (93.0, 94.0) == tuple(table.value(one, "test", fidelity=None, seed=seed) for seed in ("mean", 2))
    assert (5000, 2000) == tuple(table.value(one, cost, fidelity=None) for cost in ("params", "macs"))
    assert 2 == table.space.size
    path.write_text(json.dumps({"00000000": {"mean_acc": 93.0, "std": 1.0}}))
    assert 93.0 == read_table(path).value(nasbench_macro.from_string("0" * 8), "test", fidelity=None)
    path.write_text(json.dumps({"0": {"mean_acc": 93.0}}))
    with pytest.raises(InputError, match="is not eight digits"):
        read_table(path)


def test_graph_networks(data: Path) -> None:
    """The published optima, and every tree of the space is one of the 26,206 rows."""
    table = read_table(data / "nas_bench_graph" / "nas_bench_graph.npz")
    assert 26_206 == len(table)
    best = {"cora": 0.831, "citeseer": 0.716, "pubmed": 0.786, "arxiv": 0.724}
    assert best == {name: round(float(table.column(f"{name}.test").mean.max()), 3) for name in best}
    rng = np.random.default_rng(0)
    for _ in range(200):
        link = [0, *(int(rng.integers(node)) for node in (2, 3, 4))]
        ops = [str(op) for op in rng.choice(nasbench_graph.OPERATIONS, 4)]
        if set(ops) != {"skip"}:
            table.row(nasbench_graph.architecture_of(link, ops))
    with pytest.raises(ArchitectureError):
        table.row(nasbench_graph.architecture_of([0, 0, 0, 0], ["skip"] * 4))


def test_graph_networks_on_proteins(data: Path) -> None:
    """Have five operations, and all 2,021 architectures of their space are there."""
    table = read_table(data / "nas_bench_graph" / "nas_bench_graph_proteins.npz")
    assert (2_021, 2_021) == (len(table), table.space.size)
    assert set(range(2_021)) == set(table.rows(table.space.enumerate()).tolist())
