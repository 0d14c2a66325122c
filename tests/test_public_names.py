"""The names that users see: each resolves, and none of them makes the first import slow."""

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import netwright as nw

FILES = {
    ".".join(["netwright", *file.relative_to(Path(nw.__file__).parent).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): file
    for file in sorted(Path(nw.__file__).parent.rglob("*.py"))
}
RUN = ("__main__", "._child", ".migrations.env", ".standalone.train")
"""How the names of files end that are run by somebody (Python, a child process, alembic) and not imported."""
MODULES = [name for name in FILES if not name.endswith(RUN)]
HEAVY = {
    *("torch", "sklearn", "scipy", "sqlalchemy", "alembic", "pandas", "PIL", "moocore"),
    *("safetensors", "cloudpickle", "psutil", "typer", "rich", "pydantic", "onnx", "onnxruntime", "onnxscript"),
}


def with_all():
    """The modules that declare their public names, found without importing anything."""
    for name in MODULES:
        tree = ast.parse(FILES[name].read_text())
        if any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in tree.body):
            yield pytest.param(name, tree, id=name)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports(name):
    """Each module can be imported by itself."""
    importlib.import_module(name)


@pytest.mark.parametrize(("name", "tree"), list(with_all()))
def test_every_name_resolves(name, tree):
    """What stands in ``__all__`` is there, once, and a room shows nothing else."""
    module = importlib.import_module(name)
    assert len(module.__all__) == len(set(module.__all__))
    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    if "__dir__" in vars(module):
        assert sorted(module.__all__) == sorted(dir(module))


@pytest.mark.parametrize(("name", "tree"), list(with_all()))
def test_type_checkers_see_the_same_names(name, tree):
    """What a room gives lazily is imported for type checkers too, and the other way round."""
    module = importlib.import_module(name)
    lazy = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    if "__getattr__" not in vars(module):
        return
    shown = {alias.asname or alias.name for block in lazy for node in block.body for alias in node.names}
    defined = {
        ast.unparse(target)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    defined |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert sorted(set(module.__all__) - shown - defined) == []


@pytest.mark.parametrize("name", sorted(nw.__all__))
def test_public_things_say_what_they_are(name):
    """Every public name has a docstring whose first line is a sentence."""
    value = getattr(nw, name)
    if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
        assert (value.__doc__ or "").strip()


def test_an_unknown_name_is_an_attribute_error():
    """The message names the module and the name."""
    with pytest.raises(AttributeError, match="module 'netwright' has no attribute 'Searchspace'"):
        nw.Searchspace  # noqa: B018


def imported_by(statement):
    """What a fresh interpreter has imported after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import netwright",
        "import netwright.space",
        "import netwright.cli",
        "import netwright.strategies, netwright.evaluators, netwright.stores, netwright.tasks",
        "import netwright.testing, netwright.training, netwright.costs, netwright.export, netwright.graphs",
        "import netwright.pareto, netwright.statistics, netwright.trial, netwright.architecture, netwright.strict_json",
        "from netwright.strategies import Auto, Evolution, Random, STRATEGIES; list(STRATEGIES)",
    ],
)
def test_importing_is_cheap(statement):
    """Nothing heavy is imported before it is used."""
    assert set() == imported_by(statement) & HEAVY
