"""The shape of the house, read off the source: who imports whom, and what nobody may use.

import-linter holds the same contract in `make floors`; here it needs no more than what tests have.
"""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "netwright"
FILES = sorted(PACKAGE.rglob("*.py"))
CONTRACTS = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}


def module_name(file):
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source, module, package=False):
    """The modules that a source text imports, also inside functions and for type checking, as (name, line)."""
    above = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = above[: len(above) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{origin}.{alias.name}", node.lineno) for alias in node.names)


def layers():
    """The floors from the top: for each its rooms, and whether these may know each other."""
    (contract,) = [contract for contract in CONTRACTS.values() if contract["type"] == "layers"]
    for line in contract["layers"]:
        yield [room.strip() for room in line.replace(":", "|").split("|")], ":" in line


def may_import(importer, imported):
    """Whether one room may import from another, by the floors that they are on."""
    floors = {room: (height, friends) for height, (rooms, friends) in enumerate(layers()) for room in rooms}
    (own, friends), (other, _) = floors[importer], floors[imported]
    return importer == imported or other > own or (other == own and friends)


def room_of(module):
    """`space` for netwright.space.words; None for what is not inside a room."""
    parts = module.split(".")
    return parts[1] if parts[0] == "netwright" and len(parts) > 1 else None


ROOMS = sorted({room for file in FILES if (room := room_of(module_name(file))) not in (None, "__main__")})


def test_every_room_is_on_a_floor():
    """A new folder or file directly in the package has its floor in pyproject.toml."""
    assert set(ROOMS) <= {room for rooms, _ in layers() for room in rooms}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_down(room):
    """A room imports only from floors below its own, and not its neighbours."""
    wrong = []
    for file in FILES:
        module = module_name(file)
        if room_of(module) != room:
            continue
        for name, line in imports(file.read_text(), module, file.name == "__init__.py"):
            other = room_of(name)
            if other in ROOMS and not may_import(room, other):
                wrong.append(f"{module}:{line} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("name", [name for name, contract in CONTRACTS.items() if contract["type"] == "forbidden"])
def test_forbidden_imports(name):
    """Rooms do not import what their contract forbids them."""
    contract = CONTRACTS[name]
    wrong = []
    for file in FILES:
        module = module_name(file)
        if not any(f"{module}.".startswith(f"{source}.") for source in contract["source_modules"]):
            continue
        for imported, line in imports(file.read_text(), module, file.name == "__init__.py"):
            if any(f"{imported}.".startswith(f"{bad}.") for bad in contract["forbidden_modules"]):
                wrong.append(f"{module}:{line} imports {imported}")
    assert wrong == []


def test_the_floors_are_told_apart():
    """What the reading of the contract allows and refuses: down, up, neighbours, and the words of floor one."""
    assert may_import("strategies", "space")
    assert not may_import("space", "strategies")
    assert not may_import("strategies", "evaluators")
    assert not may_import("stores", "executors")
    assert may_import("pareto", "errors")
    assert may_import("errors", "pareto")


def test_imports_are_found():
    """Imports inside functions, relative ones, and those for type checking are all seen."""
    source = "import a.b\nfrom . import c\ndef f():\n    from ..d import e\nif TYPE_CHECKING:\n    from g import h"
    assert {"a.b", "x.y.c", "x.d.e", "g.h"} == {name for name, _ in imports(source, "x.y.z")}
    assert [name for name, _ in imports("from . import c", "x.y.z", package=True)] == ["x.y.z.c"]


# What runs code from data

RUNS_CODE = {"pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}
RESTRICTED = PACKAGE / "evaluators" / "tables" / "unpickling.py"
HERE_ONLY = {"cloudpickle": PACKAGE / "executors", "pickle": RESTRICTED}
"""A driver's own functions travel to its own workers. Benchmarks published as pickles are read by an unpickler for
which hardly a name means anything. Nothing else is ever unpickled."""


def runs_code(source):
    """What in a source text could run code that came as data, as (what, line)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in (
                "eval",
                "exec",
                "builtins.eval",
                "builtins.exec",
                "torch.load",
                "yaml.load",
                "yaml.unsafe_load",
            ):
                yield called, node.lineno
            if called.endswith((".extractall", ".extract", "unpack_archive")) and "supernet.extract" not in called:
                yield called.rpartition(".")[2], node.lineno
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                    yield "allow_pickle", node.lineno
            if (
                called.endswith(("import_module", "__import__"))
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                yield from ((name, node.lineno) for name in RUNS_CODE if name == str(node.args[0].value).split(".")[0])
    for name, line in imports(source, "netwright"):
        if name.split(".")[0] in RUNS_CODE:
            yield name.split(".")[0], line
        if name in ("torch.load", "shutil.unpack_archive", "yaml.load"):
            yield name, line


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_nothing_runs_code_from_data(file):
    """No pickle in any guise, no eval, no exec, no archive unpacked blindly, but for what stands in ``HERE_ONLY``."""
    found = [
        (what, line)
        for what, line in runs_code(file.read_text())
        if not (what in HERE_ONLY and file.is_relative_to(HERE_ONLY[what]))
    ]
    assert found == []


def test_the_unpickler_is_a_restricted_one():
    """Of pickle nothing but the class is used there, and only to be restricted: it finds no name but those listed."""
    tree = ast.parse(RESTRICTED.read_text())
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"]
    bases = [ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
    assert ["pickle.Unpickler"] == [ast.unparse(node) for node in used]
    assert 1 == bases.count("pickle.Unpickler")
    assert "super().find_class" not in RESTRICTED.read_text()


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("import joblib.memory", "joblib"),
        ("def f():\n    import cloudpickle", "cloudpickle"),
        ("import importlib\nimportlib.import_module('dill')", "dill"),
        ("eval('1')", "eval"),
        ("exec('1')", "exec"),
        ("torch.load('x', weights_only=True)", "torch.load"),
        ("from torch import load", "torch.load"),
        ("np.load('x', allow_pickle=True)", "allow_pickle"),
        ("np.load('x', allow_pickle=trusted)", "allow_pickle"),
        ("yaml.load(text)", "yaml.load"),
        ("archive.extractall(folder)", "extractall"),
    ],
)
def test_what_runs_code_is_found(source, what):
    """The gate catches each of them."""
    assert [what] == [found for found, _ in runs_code(source)]


def test_what_only_looks_like_it_is_let_through():
    """A network's eval(), a compiled regex and a safe load are none of them."""
    source = "network.eval()\nre.compile('x')\nnp.load('x', allow_pickle=False)\nyaml.safe_load(t)\nimport pickletools2"
    assert list(runs_code(source)) == []


def test_files_speak_of_the_project_alone():
    """No path of somebody's machine stands in the package."""
    homes = ("/home/", "/root/", "/work/", "/Users/")
    found = [
        f"{module_name(file)}:{number}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if any(home in line for home in homes)
    ]
    assert found == []
