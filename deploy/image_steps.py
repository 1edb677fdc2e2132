"""The Dockerfile's steps in a chroot, and its container: read-only, not root, asked over HTTP.

The machine's own programs and Python take the place of the base image, bound read-only; COPY, RUN,
ENV, WORKDIR, USER, HEALTHCHECK and CMD are what the Dockerfile says. Run by image-steps.sh.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess  # ruff: ignore[suspicious-subprocess-import] - fixed arguments
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

CONTEXT = Path(__file__).resolve().parent.parent
PYTHON = Path(sys.base_prefix)
HOST_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", str(PYTHON))
DEVICES = ("null", "zero", "random", "urandom")
PASSED_ON = ("PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy")
ASKED = ("/livez", "/readyz", "/metrics", "/openapi.yaml", "/", "/docs", "/v1/gpus", "/v1/models")
ESTIMATE = "/v1/estimates?model=llama-3.1-8b&gpu=h100-sxm5-80gb"
READY_SECONDS = 60


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its words, on one line."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def run(*words: str) -> None:
    """A command that must succeed."""
    subprocess.run(words, check=True)  # ruff: ignore[subprocess-without-shell-equals-true]


def mount_read_only(source: str, root: Path) -> None:
    """The machine's folder or device at its own place in a root."""
    target = root / source.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch() if Path(source).is_file() or Path(source).is_char_device() else target.mkdir()
    run("mount", "--bind", source, str(target))
    if Path(source).is_dir():
        run("mount", "-o", "remount,bind,ro", str(target))


@dataclass
class Stage:
    """One stage: its folder and what its instructions said."""

    root: Path
    folder: str = "/"
    user: str = "0:0"
    environment: dict[str, str] = field(default_factory=dict)
    health: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """What a base image holds."""
        for name in ("tmp", "dev/shm", "proc"):
            (self.root / name).mkdir(parents=True)
        for source in HOST_FOLDERS:
            if Path(source).is_dir():
                mount_read_only(source, self.root)
        for name in DEVICES:
            mount_read_only(f"/dev/{name}", self.root)
        run("mount", "-t", "proc", "proc", str(self.root / "proc"))

    def words(self, command: list[str]) -> list[str]:
        """A command inside: its folder, user and environment alone."""
        path = f"PATH={PYTHON}/bin:/usr/sbin:/usr/bin:/bin"
        mine = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["sh", "-c", f"cd {self.folder} && exec {shlex.join(command)}"]
        inner = ["chroot", f"--userspec={self.user}", str(self.root), *inside]
        return ["env", "-i", path, *mine, *inner]

    def copy(self, words: list[str], stages: dict[str, Stage]) -> None:
        """COPY, from the checkout or from another stage."""
        source, *rest = words if words[0].startswith("--from=") else ["", *words]
        origin = stages[source.removeprefix("--from=")].root if source else CONTEXT
        *names, target = rest
        place = self.root / os.path.join(self.folder, target).lstrip("/")
        for name in names:
            found = origin / name.lstrip("/")
            if found.is_dir():
                shutil.copytree(
                    found,
                    place,
                    symlinks=True,
                    dirs_exist_ok=True,
                    ignore=None if source else shutil.ignore_patterns("__pycache__"),
                )
                continue
            into = place / found.name if target.endswith(("/", ".")) else place
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, into)

    def follow(self, word: str, rest: str, stages: dict[str, Stage]) -> None:
        """One instruction; those that describe the image alone change nothing here."""
        if word == "WORKDIR":
            self.folder = rest
            (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            self.copy(shlex.split(rest), stages)
        elif word == "RUN":
            passed = [f"{name}={os.environ[name]}" for name in PASSED_ON if name in os.environ]
            run(*self.words(["env", *passed, "sh", "-c", rest]))
        elif word == "ENV":
            self.environment.update(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "USER":
            self.user = rest
        elif word == "HEALTHCHECK":
            self.health = json.loads(rest[rest.index("[") :])
        elif word == "CMD":
            self.command = json.loads(rest)


def built(folder: Path) -> Stage:
    """All stages, each in a folder of its own; the last is the image."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for word, rest in instructions((CONTEXT / "Dockerfile").read_text(encoding="utf-8")):
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else "image"
            stage = stages[name] = Stage(folder / name)
            stage.prepare()
        else:
            stage.follow(word, rest, stages)
    return stage


def healthy(image: Stage, served: subprocess.Popen[bytes]) -> None:
    """Wait until the image's own health check says yes."""
    end = time.monotonic() + READY_SECONDS
    while subprocess.run(image.words(image.health), capture_output=True, check=False).returncode:  # ruff: ignore[subprocess-without-shell-equals-true]
        if served.poll() is not None or time.monotonic() > end:
            sys.exit("the health check never passed")
        time.sleep(0.5)


def said(line: str) -> None:
    """Tell what was shown."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def free_port() -> str:
    """A port that nobody listens on: another's answers would prove nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def asked(address: str) -> None:
    """Ask for one thing; anything but 200 raises."""
    with urllib.request.urlopen(address, timeout=30) as answer:  # ruff: ignore[suspicious-url-open-usage] - loopback
        said(f"{answer.status} {len(answer.read())} bytes {address}")


def main() -> None:
    """Build, start read-only, ask, stop."""
    image = built(Path(sys.argv[1]))
    image.environment["PORT"] = free_port()
    root = str(image.root)
    run("mount", "--bind", root, root)
    run("mount", "-o", "remount,bind,ro", root)
    image.root = Path(root)
    for name in ("tmp", "dev/shm", "proc"):
        kind = "proc" if name == "proc" else "tmpfs"
        run("mount", "-t", kind, kind, f"{root}/{name}")
    for source in (*HOST_FOLDERS, *(f"/dev/{name}" for name in DEVICES)):
        if Path(source).exists():
            run("mount", "--bind", source, root + source)
    said("built; every RUN step ended well")
    refused = subprocess.run(  # ruff: ignore[subprocess-without-shell-equals-true]
        image.words(["touch", "/app/written"]), capture_output=True, check=False
    )
    if b"Read-only file system" not in refused.stderr:
        sys.exit("the root is writable")
    served = subprocess.Popen(image.words(image.command))  # ruff: ignore[subprocess-without-shell-equals-true]
    healthy(image, served)
    for path in (*ASKED, ESTIMATE):
        asked(f"http://127.0.0.1:{image.environment['PORT']}{path}")
    served.terminate()
    if served.wait(timeout=30) != 0:
        sys.exit(f"SIGTERM ended it with {served.returncode}")
    said("read-only, user " + image.user + ", healthy, stopped by SIGTERM with 0")


if __name__ == "__main__":
    main()
