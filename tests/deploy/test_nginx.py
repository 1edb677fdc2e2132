"""The nginx sample: Debian's nginx takes it, hands on whole requests and says who asked."""

import shutil
import socket
import subprocess  # ruff: ignore[suspicious-subprocess-import] - fixed arguments
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

SAMPLE = Path(__file__).parents[2] / "deploy" / "nginx" / "planner.conf"
MAIN = """
pid nginx.pid;
error_log stderr;
daemon off;
master_process off;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include {sample};
}}
"""
pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is missing")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Behind(BaseHTTPRequestHandler):
    """Stands where the service does and keeps what it was sent."""

    seen: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(dict(self.headers))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], int]]:
    folder, front = tmp_path_factory.mktemp("nginx"), free_port()
    with HTTPServer(("127.0.0.1", 0), Behind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = SAMPLE.read_text(encoding="utf-8").replace(
            "listen 8080", f"listen 127.0.0.1:{front}"
        )
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{server.server_port}")
        (folder / "planner.conf").write_text(text, encoding="utf-8")
        (folder / "main.conf").write_text(
            MAIN.format(sample=folder / "planner.conf"), encoding="utf-8"
        )
        yield ["nginx", "-p", str(folder), "-c", str(folder / "main.conf"), "-e", "stderr"], front
        server.shutdown()


@pytest.fixture
def front(command: tuple[list[str], int]) -> Iterator[int]:
    words, port = command
    Behind.seen.clear()
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as served:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
        served.terminate()


def asked(port: int, headers: dict[str, str]) -> int:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as asking:
        asking.request("POST", "/v1/plans", body="{}", headers=headers)
        return asking.getresponse().status


def test_nginx_takes_the_sample(command: tuple[list[str], int]) -> None:
    ran = subprocess.run([*command[0], "-t"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "[warn]" not in ran.stderr


def test_callers_cannot_say_that_they_are_others(front: int) -> None:
    forged = {"X-Forwarded-For": "10.9.8.7", "X-Request-Id": "mine-1", "traceparent": "00-1"}
    assert asked(front, forged) == 204
    (seen,) = Behind.seen
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Request-Id"] == "mine-1"
    assert seen["traceparent"] == "00-1"


def test_half_sent_bodies_do_not_reach_the_service(front: int) -> None:
    head = b"POST /v1/plans HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
    stalled = [socket.create_connection(("127.0.0.1", front)) for _ in range(20)]
    for one in stalled:
        one.sendall(head)
    assert asked(front, {}) == 204
    assert len(Behind.seen) == 1
    for one in stalled:
        one.close()
