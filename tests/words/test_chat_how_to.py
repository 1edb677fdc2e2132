"""docs/CHAT.md: each platform's script is run by bash against a served instance."""

import os
import re
import shutil
import subprocess  # ruff: ignore[suspicious-subprocess-import] - runs the document's own scripts
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from service.api.chat.settings import VARIABLES, chat_settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "CHAT.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```bash\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
NEEDED = ("bash", "curl", "openssl", "base64", "od")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The service on a free port, for programs outside of this one."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    held = app.extensions["chat"]
    yield f"http://127.0.0.1:{server.server_port}"
    app.extensions["chat"] = held
    server.shutdown()
    thread.join()
    server.server_close()


def platform_of(script: str) -> str:
    return next((name for name in VARIABLES if f"/v1/chat/{name}" in script), "none")


def exported(script: str, folder: Path) -> dict[str, str]:
    """The secrets that the script's own lines set."""
    shown = re.split(r"^(?:body=|echo |gpus)", script, maxsplit=1, flags=re.MULTILINE)[0]
    names = " ".join(VARIABLES.values())
    reveal = f'for name in {names}; do echo "$name=${{!name-}}"; done'
    ran = run(f"{shown}\n{reveal}", folder)
    return dict(line.split("=", 1) for line in ran.splitlines() if "=" in line)


def run(script: str, folder: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = ["bash", "-euo", "pipefail", "-c", script]
    found = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return found.stdout


@pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")
@pytest.mark.parametrize("script", SCRIPTS, ids=platform_of)
def test_a_script_of_the_how_to_prints_what_it_says(
    app: Flask, address: str, script: str, tmp_path: Path
) -> None:
    commands, _, printed = script.partition("\n# ")
    once = re.sub(r"^openssl genpkey.*$", "", commands, flags=re.MULTILINE)
    app.extensions["chat"] = chat_settings(exported(commands, tmp_path))
    answer = run(once.replace(ADDRESS, address), tmp_path)
    begun = printed.split("…")[0].rstrip("{ \n")
    assert begun
    assert answer.startswith(begun)


def test_every_platform_has_its_script() -> None:
    assert {platform_of(script) for script in SCRIPTS} == {*VARIABLES, "none"}
