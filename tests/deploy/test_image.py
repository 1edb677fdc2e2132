"""The Dockerfile names what exists and copies all that the service reads."""

import json
import re
import shutil
import subprocess  # ruff: ignore[suspicious-subprocess-import] - fixed arguments
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from service.app import SERVICE_VERSION

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COPIES = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
SOURCES = sorted({name for names in COPIES if not names[0].startswith("--") for name in names})
ALLOWED = [
    line[1:]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line.startswith("!")
]
ASKED = (
    "/readyz",
    "/",
    "/docs",
    "/openapi.yaml",
    "/v1/gpus",
    "/v1/estimates?model=llama-3.1-8b&gpu=l4-24gb",
)
READY = [f"/sheets/gpu-planner.{ending}" for ending in ("ods", "xlsx", "gs", "pq")]
ASKING = """
import sys
from service.app import create_app
client = create_app().test_client()
for path in sys.argv[1:]:
    print(client.get(path).status_code)
"""


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_copied_exists_and_is_sent_to_the_builder(source: str) -> None:
    assert (ROOT / source).exists()
    assert any(fnmatch(source, name) for name in ALLOWED)


def test_the_copied_files_alone_answer_every_kind_of_question(tmp_path: Path) -> None:
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / source)
        else:
            shutil.copy(ROOT / source, tmp_path / source)
    paths = [*ASKED, *READY]
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'){ASKING}", *paths]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert dict(zip(paths, ran.stdout.split(), strict=True)) == dict.fromkeys(paths, "200")


def test_the_image_runs_as_a_user_that_is_not_root_and_checks_itself() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    health = re.search(r"^HEALTHCHECK .*\n *CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert user
    assert health
    assert min(map(int, user.groups())) >= 10_000
    assert json.loads(health[1])[0] == "/opt/venv/bin/python"


def test_the_image_carries_the_version_of_the_service() -> None:
    assert f'org.opencontainers.image.version="{SERVICE_VERSION}"' in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
