"""Over HTTP: gunicorn with one worker, its processor time a request, memory and start."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess  # ruff: ignore[suspicious-subprocess-import] - our own commands
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024
PATIENCE_SECONDS = 60
WRK_SECONDS, WRK_CONNECTIONS = 5, 50
CONFIG = "config/gunicorn.conf.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question over HTTP, the same each time unless it is varied.

    tokens  context of the first request, one token less each time; None for equal bodies
    """

    name: str
    application: str
    path: str
    body: dict[str, object]
    requests: int
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running service: its port, the worker's process, and how long the first answer took."""

    port: int
    worker: int
    start_seconds: float

    @property
    def seconds(self) -> float:
        """Processor time of the worker so far."""
        fields = Path(f"/proc/{self.worker}/stat").read_text(encoding="ascii").rsplit(")", 1)[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / TICKS

    @property
    def memory_mib(self) -> float:
        """The worker's proportional share of memory."""
        lines = Path(f"/proc/{self.worker}/smaps_rollup").read_text(encoding="ascii").splitlines()
        pss = next(line for line in lines if line.startswith("Pss:"))
        return int(pss.split()[1]) / KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one question cost the worker."""

    name: str
    cpu_ms: float
    answer_bytes: int
    per_second: float | None


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def post(port: int, path: str, body: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def serving(application: str, path: str, body: bytes) -> Generator[Server]:
    """One worker of gunicorn, from its first answer on."""
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "WEB_CONCURRENCY": "1", "ACCESS_LOG": ""}
    command = [sys.executable, "-m", "gunicorn", "--config", CONFIG, "--log-level", "error"]
    started = time.monotonic()
    process = subprocess.Popen(  # ruff: ignore[subprocess-without-shell-equals-true] - no shell
        [*command, application], env=environment
    )
    try:
        first_answer(process, port, path, body)
        worker = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        children = worker.read_text(encoding="ascii").split()
        yield Server(port=port, worker=int(children[0]), start_seconds=time.monotonic() - started)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def first_answer(process: subprocess.Popen[bytes], port: int, path: str, body: bytes) -> None:
    """Wait for it.

    Raises: RuntimeError where the service stops or answers something else.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"gunicorn stopped with {process.returncode}")
        try:
            status, answer = post(port, path, body)
        except OSError:
            time.sleep(0.01)
            continue
        if status != http.client.OK:
            raise RuntimeError(f"{status}: {answer[:300]!r}")
        return
    raise RuntimeError("no answer")


def bodies(asked: Asked) -> Iterator[bytes]:
    """The bodies of all requests."""
    for turn in range(asked.requests):
        body = asked.body
        if asked.tokens is not None:
            workload = {**body["workload"], "context_tokens": asked.tokens - turn}  # type: ignore[dict-item]
            body = {**body, "workload": workload}
        yield json.dumps(body).encode()


def cost(server: Server, asked: Asked) -> Served:
    """Processor time of the worker for one request, over one connection that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
    before, size = server.seconds, 0
    for body in bodies(asked):
        connection.request("POST", asked.path, body, {"Content-Type": "application/json"})
        size = len(connection.getresponse().read())
    taken = server.seconds - before
    connection.close()
    return Served(
        name=asked.name,
        cpu_ms=taken / asked.requests * 1e3,
        answer_bytes=size,
        per_second=throughput(server, asked),
    )


def throughput(server: Server, asked: Asked) -> float | None:
    """Requests a second at 50 connections, as wrk counts them; None without wrk."""
    if shutil.which("wrk") is None:
        return None
    with NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        body = json.dumps(asked.body)
        script.write(
            f'wrk.method = "POST"\nwrk.body = [[{body}]]\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
        )
        script.flush()
        url = f"http://127.0.0.1:{server.port}{asked.path}"
        command = ["wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{WRK_SECONDS}s", "-s", script.name]
        printed = subprocess.run(  # ruff: ignore[subprocess-without-shell-equals-true] - no shell
            [*command, url], capture_output=True, text=True, check=True
        )
    line = next(line for line in printed.stdout.splitlines() if "Requests/sec" in line)
    return float(line.split()[1])
