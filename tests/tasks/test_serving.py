"""A network that answers over HTTP, with real requests to a real server."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tasks.conftest import Searched

from netwright import tasks
from netwright.errors import InputError
from netwright.tasks.tables import from_records

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("onnxruntime")

from netwright.tasks.serving import Served, application, serve  # noqa: E402 - it needs what may not be there


@pytest.fixture(scope="module")
def address(searched: Searched) -> Iterator[str]:
    """Where the network of the search answers."""
    app = application(Served.open(searched.folder))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def asked(address: str, body: bytes | None = None) -> tuple[int, Any]:
    """The status and the JSON of the answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data=body), timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def rows(X: np.ndarray) -> bytes:
    return json.dumps({"inputs": X.tolist()}).encode()


def test_a_batch_is_answered_as_predict_answers_it(searched: Searched, address: str) -> None:
    """The same classes, and probabilities equal to five digits; one row alone as in a batch."""
    status, value = asked(f"{address}/predict", rows(searched.X))
    expected = tasks.predict(searched.folder, searched.source)
    assert 200 == status
    assert expected["predictions"] == value["predictions"]
    assert np.allclose(expected["probabilities"], value["probabilities"], atol=1e-5)
    assert value["predictions"][:1] == asked(f"{address}/predict", rows(searched.X[:1]))[1]["predictions"]


def test_it_says_what_it_takes(address: str) -> None:
    """The kind of rows, their shape, the classes; and that it is well."""
    status, value = asked(f"{address}/")
    assert (200, "classification", "images") == (status, value["task"], value["kind"])
    assert "(1, 6, 6)" in value["input"]
    assert 2 == len(value["classes"])
    assert (200, {"status": "ok"}) == asked(f"{address}/health")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "no JSON"),
        (b'{"inputs": [[NaN]]}', 400, "NaN is no JSON number"),
        (b"[" * 100_000, 400, "no JSON"),
        (b"[1]", 400, 'an object with "inputs"'),
        (b'{"inputs": []}', 422, "at least one"),
        (b'{"inputs": 3}', 422, "a list of rows"),
        (b'{"inputs": [[[1, 2], [3]]]}', 422, "one shape"),
        (b'{"inputs": [[[["a"]]]]}', 422, "no number"),
        (b'{"inputs": [[[1, 2], [3, 4]]]}', 422, "6"),
        (b'{"inputs": [{"a": 1}]}', 422, "found objects"),
        (json.dumps({"inputs": [[0]] * 5000}).encode(), 422, "at most 4,096 rows"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(address: str, body: bytes, status: int, words: str) -> None:
    """A status, a sentence, and it goes on answering."""
    found, value = asked(f"{address}/predict", body)
    assert status == found
    assert words in value["error"]["message"]
    assert 200 == asked(f"{address}/health")[0]


def test_a_request_too_large_is_not_read(address: str) -> None:
    """Beyond 32 MB it is refused."""
    assert 413 == asked(f"{address}/predict", b" " * (33 << 20))[0]


def test_records_are_rows_of_a_table() -> None:
    """By name, in any order; what is missing is missing."""
    table = from_records([{"b": "x", "a": 1}, {"a": None}, {"a": 2.5, "b": "y"}])
    assert (("a",), ("b",)) == (table.number_names, table.category_names)
    assert [1.0, None, 2.5] == [None if np.isnan(value) else value for value in table.numbers[:, 0]]
    assert ["x", None, "y"] == table.categories[0].tolist()


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    """Before anything listens."""
    with pytest.raises(InputError, match="is no study"):
        Served.open(tmp_path)


def test_the_command_answers_until_it_is_stopped(searched: Searched) -> None:
    """``netwright serve`` prints where it is, answers, and ends at a signal."""
    command = [sys.executable, "-m", "netwright", "serve", str(searched.folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            status, value = asked(f"{found[0]}/predict", rows(searched.X[:3]))
            assert (200, 3) == (status, len(value["predictions"]))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) in (0, -signal.SIGTERM, 143)
        finally:
            process.kill()


def test_a_host_that_is_none_of_this_machine_is_refused(tmp_path: Path) -> None:
    """It is the host that is named, before the study is looked at."""
    with pytest.raises(InputError, match=r"'256.1.1.1' is no address of this machine:.*--host 127.0.0.1"):
        serve(tmp_path, host="256.1.1.1", port=0)


def test_a_port_that_is_taken_is_refused(searched: Searched, address: str) -> None:
    """One line, before the network is made ready."""
    port = int(address.rpartition(":")[2])
    with pytest.raises(InputError, match=r"nothing can listen at 127.0.0.1:.*Take another one"):
        serve(searched.folder, port=port)
