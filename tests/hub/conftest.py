"""A stand-in of the Hub on loopback, and the service in front of it."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from service.catalog.hub import Hub
from service.catalog.hub_client import OfficialClient, client_module

# the shape of Qwen3 0.6B, whose files hold the tied head a second time: 751,632,384 values
CONFIG = {
    "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "hidden_size": 1024,
    "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 3072, "vocab_size": 151936, "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}  # fmt: skip
FILES: dict[str, bytes] = {
    "/acme/small/resolve/main/config.json": json.dumps(CONFIG).encode(),
    "/acme/pipeline/resolve/main/vae/config.json": json.dumps({
        "_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2, "latent_channels": 4,
    }).encode(),
    "/acme/broken/resolve/main/config.json": b"<html>maintenance</html>",
    "/acme/huge/resolve/main/config.json": b" " * 1_000_001,
    "/acme/odd/resolve/main/config.json": b'{"model_type": "nobody-knows"}',
}  # fmt: skip
FAULTS = {
    "gated": (403, "GatedRepo"), "missing": (404, "RepoNotFound"), "down": (503, ""),
    "bare": (404, "EntryNotFound"),
}  # fmt: skip
SLOW_S = 1.5


class StandIn(BaseHTTPRequestHandler):
    """The three addresses of the Hub that the client asks."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(f"{self.command} {path}")
        model = path.removeprefix("/api/models").split("/")[2]
        if model == "slow":
            time.sleep(SLOW_S)
        if model == "elsewhere":
            self._answer(307, b"", Location="https://example.org/config.json")
        elif model in FAULTS:
            status, code = FAULTS[model]
            self._answer(status, b"{}", **{"X-Error-Code": code})
        elif path.startswith("/api/models/"):
            info = {"id": path.removeprefix("/api/models/")}
            counted = {"parameters": {"BF16": 751_632_384}, "total": 751_632_384}
            body = json.dumps({**info, "safetensors": counted}).encode()
            self._answer(200, body, **{"Content-Type": "application/json"})
        else:
            self._answer(200, FILES[path], ETag='"1"', **{"X-Repo-Commit": "c" * 40})

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing: tests have no log."""


@pytest.fixture(scope="session")
def stand_in() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def network(endpoint: str) -> OfficialClient:
    return OfficialClient(client=client_module(), endpoint=endpoint, timeout_s=0.5)


@pytest.fixture(scope="session")
def hub(stand_in: str, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    return Hub(network=network(stand_in), folder=tmp_path_factory.mktemp("hub") / "kept")


@pytest.fixture(scope="session")
def hub_client(hub: Hub) -> FlaskClient:
    return create_app(hub).test_client()


@pytest.fixture
def asked() -> list[str]:
    StandIn.asked.clear()
    return StandIn.asked


@pytest.fixture
def kept(hub: Hub) -> Path:
    return hub.folder
