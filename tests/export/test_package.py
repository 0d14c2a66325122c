"""A package works without Netwright, is whole or absent, and tells what it holds."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from netwright import export
from netwright.architecture import Architecture
from netwright.errors import CheckError, InputError
from netwright.export import checking, folder

ARCHITECTURE = Architecture({"width": 4, "op": "conv"})


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.fixture(scope="module")
def best(tmp_path_factory) -> tuple[Path, nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    network, x = Net(), torch.randn(7, 1, 8, 8)
    network(x)
    place = tmp_path_factory.mktemp("runs") / "best"
    export.package(network, ARCHITECTURE, x, place, "# Card\n", extra={"mean": [0.5]})
    return place, network.eval(), x


_ALONE = """
import sys, json
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "netwright":
            raise ImportError("netwright is not installed here")
sys.meta_path.insert(0, Refuse())
try:
    import netwright
except ImportError:
    pass
else:
    raise SystemExit("netwright could be imported: the test tests nothing")
"""


def alone(code: str, *arguments: str) -> str:
    """Runs ``code`` in a process where Netwright cannot be imported; answers its standard output."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", _ALONE + code, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_model_runs_without_netwright(best: tuple[Path, nn.Module, torch.Tensor]) -> None:
    """`python best/model.py` prints the shape of an output where Netwright is not installed."""
    place, _, _ = best
    code = "import runpy; runpy.run_path(sys.argv[1], run_name='__main__')"
    assert alone(code, str(place / "model.py")) == "(1, 3)\n"


def test_outputs_are_equal_without_netwright(best: tuple[Path, nn.Module, torch.Tensor], tmp_path: Path) -> None:
    """What the package answers there is what the network answers here, bit for bit."""
    place, network, x = best
    code = """
sys.path.insert(0, sys.argv[1])
import torch, model
torch.set_num_threads(int(sys.argv[2]))
network = model.load()
assert not network.training
with torch.no_grad():
    print(json.dumps(network(torch.tensor(json.loads(sys.argv[3]))).tolist()))
"""
    with torch.no_grad():
        expected = network(x[:2]).tolist()
    assert expected == json.loads(alone(code, str(place), str(torch.get_num_threads()), json.dumps(x[:2].tolist())))


def test_package_has_its_files(best: tuple[Path, nn.Module, torch.Tensor]) -> None:
    """Source, weights, architecture, card, and a manifest with the hash of each."""
    place, network, _ = best
    names = {"model.py", "weights.safetensors", "architecture.json", "card.md", "manifest.json"}
    assert names == {path.name for path in place.iterdir()}
    assert [path.name for path in place.parent.iterdir()] == ["best"]
    assert Architecture.from_json((place / "architecture.json").read_bytes()) == ARCHITECTURE
    assert (place / "card.md").read_text() == "# Card\n"
    manifest = export.read_manifest(place)
    assert manifest["inputs"] == [{"shape": [1, 8, 8], "dtype": "float32"}]
    assert manifest["extra"] == {"mean": [0.5]}
    expected = hashlib.sha256((place / "card.md").read_bytes()).hexdigest()
    assert expected == manifest["files"]["card.md"]["sha256"]
    assert network.state_dict().keys() == load_file(place / "weights.safetensors").keys()


def test_a_changed_file_is_noticed(tmp_path: Path, best: tuple[Path, nn.Module, torch.Tensor]) -> None:
    """One flipped bit in the weights is named."""
    copy = export.to(best[0], "source", tmp_path / "copy")
    content = bytearray((copy / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "weights.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.safetensors is not as it was written"):
        export.read_manifest(copy)


@pytest.mark.parametrize("break_it", [Path.unlink, Path.touch])
def test_a_damaged_package_says_how_it_is_replaced(tmp_path: Path, break_it: Any) -> None:
    """That of a search is written anew by the search; of any other no study knows."""
    for place, hint in ((tmp_path / "run" / "best", f"netwright resume {tmp_path / 'run'}"), (tmp_path / "b", "Bring")):
        place.mkdir(parents=True)
        (place.parent / "study.db").touch() if place.name == "best" else None
        manifest = {"schema": 1, "files": {"model.py": {"sha256": "0"}}}
        (place / "manifest.json").write_text(json.dumps(manifest))
        (place / "model.py").touch()
        break_it(place / "model.py")
        with pytest.raises(InputError) as caught:
            export.read_manifest(place)
        assert hint in str(caught.value.hint)


@pytest.mark.parametrize("change", [{"files": {"model.py": 3}}, {"inputs": None}, {"extra": [1]}])
def test_a_manifest_that_is_sound_json_and_nothing_else(
    tmp_path: Path, best: tuple[Path, nn.Module, torch.Tensor], change: dict[str, Any]
) -> None:
    """It is refused by its name."""
    copy = export.to(best[0], "source", tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(InputError, match="is not as it was written"):
        export.read_manifest(copy)


def test_files_outside_the_folder_are_not_opened(tmp_path: Path) -> None:
    """A manifest that names another folder's file is refused."""
    text = json.dumps({"schema": 1, "files": {"../secret": {"sha256": ""}}})
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="outside its folder"):
        export.read_manifest(tmp_path)


def test_no_package_of_what_has_no_source(tmp_path: Path) -> None:
    """A network that branches on values is refused with its line, and nothing is written."""
    with pytest.raises(CheckError, match=r"^\S*test_package\.py:\d+: `return x if x\.sum\(\) > 0 else -x`") as caught:
        export.package(Branching(), ARCHITECTURE, torch.randn(2, 3), tmp_path / "best", "")
    assert len(caught.value.message) <= 200
    assert list(tmp_path.iterdir()) == []


def test_wrong_source_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that answers differently is noticed by its outputs; the package of before stays."""
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "model.py").write_text("before")
    right = folder.write_source

    def wrong(*args, **kwargs):
        return right(*args, **kwargs).replace("return x\n", "return x + 2e-5\n")

    monkeypatch.setattr(folder, "write_source", wrong)
    with pytest.raises(CheckError, match="outputs differ by 2e-05") as caught:
        export.package(Net(), ARCHITECTURE, torch.randn(2, 1, 8, 8), tmp_path / "best", "")
    assert caught.value.code == 4
    assert (tmp_path / "best" / "model.py").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_source_that_needs_netwright_is_refused() -> None:
    """The process of the check has no Netwright to import."""
    with pytest.raises(CheckError, match="has to work without Netwright"):
        checking.difference("import netwright\n", nn.Identity(), (torch.zeros(1, 2),))


def test_a_new_package_replaces_the_old(tmp_path: Path) -> None:
    """The folder holds the files of the new package alone."""
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "left.txt").write_text("")
    export.package(nn.Sequential(nn.Linear(3, 2)), ARCHITECTURE, torch.randn(2, 3), tmp_path / "best", "new")
    assert (tmp_path / "best" / "card.md").read_text() == "new"
    assert not (tmp_path / "best" / "left.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_tied_weights_are_packaged(tmp_path: Path) -> None:
    """Weights in two places stand under both names, and are one tensor again when they are loaded."""
    network = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    network[1].weight = network[0].weight
    export.package(network, ARCHITECTURE, torch.randn(2, 3), tmp_path / "best", "")
    assert {"0.weight", "1.weight"} == load_file(tmp_path / "best" / "weights.safetensors").keys()


def test_a_note_is_in_the_docstring(tmp_path: Path) -> None:
    """It stays text, whatever it holds: neither quotes nor backslashes end the docstring."""
    note = 'Images standardised. """ + quit() \\'
    export.package(nn.Linear(3, 2), ARCHITECTURE, torch.randn(2, 3), tmp_path / "best", "", note=note)
    docstring = ast.get_docstring(ast.parse((tmp_path / "best" / "model.py").read_text()))
    assert docstring is not None
    assert docstring.endswith("Images standardised. ''' + quit() /")


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link in the place of the folder is refused."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "best").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no folder that a network can be written to"):
        export.package(nn.Linear(2, 2), ARCHITECTURE, torch.randn(2, 2), tmp_path / "best", "")


def test_export_to_torch(tmp_path: Path, best: tuple[Path, nn.Module, torch.Tensor]) -> None:
    """The program of a package gives the network's outputs for another batch."""
    place, network, x = best
    path = export.to(place, "torch", tmp_path / "net.pt2")
    with torch.no_grad():
        torch.testing.assert_close(torch.export.load(path).module()(x), network(x), rtol=0, atol=1e-6)


def test_export_to_source(tmp_path: Path, best: tuple[Path, nn.Module, torch.Tensor]) -> None:
    """The copy is a package itself; a folder that exists is not overwritten."""
    copy = export.to(best[0], "source", tmp_path / "copy")
    ours, theirs = export.read_manifest(best[0]), export.read_manifest(copy)
    assert [ours[name] for name in ("inputs", "extra")] == [theirs[name] for name in ("inputs", "extra")]
    for name in ("model.py", "weights.safetensors", "architecture.json"):
        assert ours["files"][name] == theirs["files"][name]
    with pytest.raises(InputError, match="exists already"):
        export.to(best[0], "source", copy)


def test_nothing_is_unpickled() -> None:
    """No file of these rooms uses pickle or torch.load."""
    for room in ("export", "graphs", "costs"):
        for path in (Path(export.__file__).parents[1] / room).rglob("*.py"):
            text = path.read_text()
            assert not re.search(r"import.*pickle|pickle\.|allow_pickle=True|weights_only=False", text), path
            assert "torch.load(" not in text, path
