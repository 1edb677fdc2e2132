"""A real gunicorn with the shipped configuration, on a free port of the loopback."""

import os
import signal
import socket
import subprocess  # ruff: ignore[suspicious-subprocess-import] - the service itself
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.contract import ROOT

START_SECONDS = 60


class Server:
    """A running service and where it is."""

    def __init__(self, port: int, log: Path, settings: dict[str, str]) -> None:
        self.port, self.log = port, log
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.conf.py"]
        environment = {**os.environ, "PORT": str(port), "WEB_CONCURRENCY": "1", **settings}
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [*command, "service.app:create_app()"],
                cwd=ROOT,
                env=environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=30, **more)

    def connect(self, sent: bytes) -> socket.socket:
        """A connection that sends this and then stalls."""
        stalled = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        stalled.sendall(sent)
        return stalled

    def wait(self, happened: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until something has happened."""
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, self.log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            return self.get("/livez").ok
        except requests.ConnectionError:
            return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


Start = Callable[..., Server]


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Server] = []

    def started(**settings: str) -> Server:
        port = free_port()
        running.append(Server(port, tmp_path / f"log-{port}", settings))
        running[-1].wait(running[-1].answers)
        return running[-1]

    yield started
    for server in running:
        server.process.kill()
        server.process.wait(timeout=60)
