"""A found network that answers over HTTP: JSON in, JSON out, ONNX Runtime in between.

A small ASGI application for one machine, and a sample to begin from: it has no authentication, so it listens on the
machine itself alone unless it is told otherwise.
"""

from __future__ import annotations

import errno
import json
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from netwright.errors import DataError, InputError, MissingExtra, NetwrightError
from netwright.tasks.preprocessing import answers, apply, kind
from netwright.tasks.tables import from_records

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MAX_BYTES = 32 * 2**20
"""The largest request that is read."""
MAX_ROWS = 4096
"""The most rows of one request."""
NAME = "'inputs'"
"""What the rows of a request are called in messages."""


@final
@dataclass(frozen=True)
class Served:
    """A network in ONNX Runtime with the constants of its preprocessing, and what it says of itself."""

    run: Any
    preprocessing: Mapping[str, Any]
    about: Mapping[str, Any]

    @classmethod
    def open(cls, folder: str | Path, pick: str | int = "best", threads: int = 1) -> Served:
        """Of the study in ``folder``: the network that ``pick`` means (:func:`netwright.tasks.picking.take`).

        It is written as an ONNX model, which is compared with it on real rows. Raises the errors of both.
        """
        from netwright.export import read_manifest
        from netwright.graphs import OnnxSession
        from netwright.tasks.picking import take
        from netwright.tasks.shipping import write

        package = take(folder, pick)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "model.onnx"
            write(folder, "onnx", path, pick=pick)
            session = OnnxSession(path.read_bytes(), threads)
        manifest = read_manifest(package)
        preprocessing = manifest["extra"]["preprocessing"]
        about = {
            "task": "classification" if "classes" in preprocessing["target"] else "regression",
            "kind": preprocessing["kind"],
            "input": _input(preprocessing),
            "classes": preprocessing["target"].get("classes"),
            "netwright": manifest["netwright"],
        }
        return cls(session, preprocessing, {name: value for name, value in about.items() if value is not None})

    def answer(self, rows: Any) -> dict[str, Any]:
        """Predictions for raw rows, as :func:`netwright.tasks.predict` gives them for a file."""
        if not isinstance(rows, list) or not rows:
            raise DataError("'inputs' is a list of rows, at least one")
        if len(rows) > MAX_ROWS:
            raise DataError(f"a request has at most {MAX_ROWS:,} rows, found {len(rows):,}")
        if all(isinstance(row, dict) for row in rows):
            if self.preprocessing["kind"] != "tables":
                raise DataError(f"rows are {self.about['input']}, found objects")
            inputs = apply(self.preprocessing, from_records(rows, NAME), NAME)
        elif self.preprocessing["kind"] in ("text", "language"):
            inputs = apply(self.preprocessing, rows, NAME)
        else:
            inputs = apply(self.preprocessing, _array(rows), NAME)
        (outputs,) = self.run(inputs)
        return answers(self.preprocessing, np.asarray(outputs))


def application(served: Served) -> Starlette:
    """The ASGI application: ``GET /`` says what it takes, ``GET /health``, ``POST /predict``.

    ``{"inputs": [row, …]}`` is answered with ``{"predictions": […]}``, of a classifier with ``classes`` and
    ``probabilities``, too. What is wrong with a request is said in one line, ``{"error": {"message", "hint"}}``, with
    status 400 (no JSON), 413 (too large) or 422 (rows that the network cannot take).
    """
    _require()
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def about(_: Request) -> Response:
        return JSONResponse(dict(served.about))

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def predict(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BYTES:
                return _refused(413, f"a request has at most {MAX_BYTES >> 20} MB")
        try:
            value = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return _refused(400, f"the request is no JSON: {str(error)[:200]}")
        if not isinstance(value, dict) or "inputs" not in value:
            return _refused(400, 'the request is an object with "inputs"', 'Send {"inputs": [row, …]}')
        try:
            return JSONResponse(await run_in_threadpool(served.answer, value["inputs"]))
        except NetwrightError as error:
            return _refused(422, error.message, error.hint)

    return Starlette(routes=[
        Route("/", about), Route("/health", health), Route("/predict", predict, methods=["POST"]),
    ])  # fmt: skip


def serve(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    pick: str | int = "best",
    threads: int = 1,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answers at ``http://host:port`` (port 0: any that is free) until it is stopped by a signal.

    ``ready`` is told the address when the network is there. InputError where nothing can listen there.
    """
    _require()
    import uvicorn

    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 2**16:
        raise InputError(f"a port is a number from 0 to 65535, found {port!r}")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        try:
            listener.bind((host, port))
        except OSError as error:
            here = error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror)
            raise InputError(
                f"'{host}' is no address of this machine: {error.strerror}"
                if here
                else f"nothing can listen at {host}:{port}: {error.strerror}",
                hint="Take one that is: --host 127.0.0.1, or 0.0.0.0 for all"
                if here
                else "Take another one: --port 8001",
            ) from None
        app = application(Served.open(folder, pick, threads))
        listener.listen()
        if ready is not None:
            ready(f"http://{host}:{listener.getsockname()[1]}")
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])


def _require() -> None:
    import importlib.util

    missing = [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(" and ".join(missing), "serve", "Serving a network")


def _input(preprocessing: Mapping[str, Any]) -> str:
    """What a row is."""
    inputs = preprocessing["inputs"]
    if preprocessing["kind"] == "tables":
        names = [entry["name"] for part in ("numbers", "categories") for entry in inputs[part]]
        return f"lists of {len(names)} values, or objects with {', '.join(names)}"
    if preprocessing["kind"] == "images":
        return f"images of the shape ({', '.join(map(str, inputs['shape']))}), with the values of the training data"
    return kind(preprocessing).describe(inputs)


def _array(rows: list[Any]) -> np.ndarray[Any, Any]:
    try:
        array = np.array(rows)
    except ValueError:
        raise DataError("the rows of 'inputs' are not all of one shape") from None
    if array.dtype.kind not in "biuf":
        array = np.array(rows, dtype=object)
        if array.ndim != 2:
            raise DataError("the rows of 'inputs' hold something that is no number")
    return array


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")


def _refused(status: int, message: str, hint: str | None = None) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": {"message": message, "hint": hint}}, status_code=status)
