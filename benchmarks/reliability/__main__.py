"""`python -m benchmarks.reliability`: docs/RELIABILITY.md, every figure of one run."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess  # ruff: ignore[suspicious-subprocess-import] - our own commands
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.performance.served import KIB, PATIENCE_SECONDS, first_answer, free_port
from benchmarks.reliability.load import Load, Told

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "RELIABILITY.md"
SPAN_SECONDS, SOAK_SECONDS, CALLERS, WORKERS = 10, 60, 8, 2
RELOAD_SECONDS = 7  # noticed within two, then read beside threads that are all at work
PLAN = (
    b'{"model":"llama-3.1-8b",'
    b'"workload":{"kind":"inference","context_tokens":4096,"concurrency":1}}'
)
STALLED = (
    b"GET /livez HTTP/1.1\r\nHost: a\r\n",
    b"POST /v1/plans HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n{",
)
HEAD = """# Reliability

Written by `make soak`; do not edit. One run on {machine}, {cores} cores, Python {python}.
The machine is shared with other work: rates are those of a busy machine. {workers} workers, the
shipped settings of gunicorn, no proxy, {callers} callers that ask for an estimate without pause,
each time another one (the same one while catalogs change, answered from memory but for the first
time on each catalog). Lost: sent, and no whole answer came back.

| what was done under load | answers 200 | 503 with Retry-After | other | lost | refused |
| --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service and the cards that it reads."""

    port: int
    process: subprocess.Popen[bytes]
    cards: Path

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in path.read_text(encoding="ascii").split()]

    @property
    def memory_mib(self) -> float:
        """Proportional share of memory of all workers."""
        files = [Path(f"/proc/{worker}/smaps_rollup") for worker in self.workers]
        lines = [line for file in files for line in file.read_text("ascii").splitlines()]
        shares = [line for line in lines if line.startswith("Pss:")]
        return sum(int(line.split()[1]) for line in shares) / KIB


@contextmanager
def running() -> Generator[Running]:
    """The service as it is shipped, with a file of cards of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        cards = Path(folder) / "gpus.yaml"
        cards.write_bytes((ROOT / "gpus.yaml").read_bytes())
        settings = {"PORT": str(port), "WEB_CONCURRENCY": str(WORKERS), "GPU_CATALOG": str(cards)}
        command = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.conf.py"]
        process = subprocess.Popen(  # ruff: ignore[subprocess-without-shell-equals-true] - no shell
            [*command, "--log-level", "critical", "service.app:create_app()"],
            env={**os.environ, **settings, "ACCESS_LOG": ""},
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        try:
            first_answer(process, port, "/v1/plans", PLAN)
            yield Running(port=port, process=process, cards=cards)
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def nothing(_service: Running) -> None:
    """Load alone."""
    time.sleep(SPAN_SECONDS)


def stalled_senders(service: Running) -> None:
    """400 connections that send half a head or half a body and then nothing."""
    with ExitStack() as open_connections:
        for turn in range(400):
            stalled = socket.create_connection(("127.0.0.1", service.port), PATIENCE_SECONDS)
            open_connections.enter_context(stalled)
            stalled.sendall(STALLED[turn % 2])
        time.sleep(SPAN_SECONDS)


def killed_workers(service: Running) -> None:
    """SIGKILL of one worker, five times."""
    for _ in range(5):
        os.kill(service.workers[0], signal.SIGKILL)
        time.sleep(SPAN_SECONDS / 5)


def reloads(service: Running) -> None:
    """Three changed files of cards and three faulty ones in turn, swapped in by a rename."""
    text = (ROOT / "gpus.yaml").read_text(encoding="utf-8")
    for turn in range(6):
        good = text.replace("memory_planning_mib: 81089", f"memory_planning_mib: {81000 - turn}")
        fresh = service.cards.with_suffix(".fresh")
        fresh.write_text("cards: [" if turn % 2 else good, encoding="utf-8")
        fresh.replace(service.cards)
        time.sleep(RELOAD_SECONDS)


def hang_up(service: Running) -> None:
    """SIGHUP, three times: workers are replaced."""
    for _ in range(3):
        service.process.send_signal(signal.SIGHUP)
        time.sleep(SPAN_SECONDS / 3)


def stop(service: Running) -> None:
    """SIGTERM while callers ask on."""
    time.sleep(2)
    service.process.terminate()
    service.process.wait(PATIENCE_SECONDS)


FAULTS = (nothing, stalled_senders, killed_workers, reloads, hang_up, stop)


def row(words: str, told: Told) -> str:
    """What callers met, as a row."""
    other = sum(count for status, count in told.answers.items() if status not in {200, 503})
    lost = ", ".join(f"{count} {kind}" for kind, count in told.lost.items()) or "0"
    return (
        f"| {words} | {told.answers[200]:,} | {told.answers[503]:,} | {other} | {lost} | "
        f"{told.refused:,} |"
    )


def faults() -> list[str]:
    """Each fault against a service of its own."""
    rows = []
    for fault in FAULTS:
        same = fault is reloads
        with running() as service, Load(service.port, CALLERS, same=same) as told:
            fault(service)
        words = (fault.__doc__ or "").rstrip(".")
        if same:
            words += f"; {len(told.versions)} versions answered, {told.wrong} answers wrong"
        rows.append(row(words, told))
        sys.stdout.write(rows[-1] + "\n")
    return rows


def soak() -> list[str]:
    """Fifty callers for a minute, and memory before and after."""
    with running() as service:
        with Load(service.port, CALLERS):
            time.sleep(SPAN_SECONDS)
        before = service.memory_mib
        with Load(service.port, 50, first=50_000) as told:
            time.sleep(SOAK_SECONDS)
        after = service.memory_mib
    rate = told.answers[200] / SOAK_SECONDS
    return [
        "",
        f"50 connections for {SOAK_SECONDS} s: {rate:.0f} answers a second, 99 of 100 within "
        f"{told.p99_ms:.0f} ms; {told.answers[503]} told to come again, {sum(told.lost.values())} "
        f"lost. The workers held {before:.0f} MiB before and {after:.0f} MiB after; each keeps up "
        "to 16 MiB of answers.",
    ]


def main() -> None:
    """Write the page."""
    head = HEAD.format(
        machine=platform.machine(), cores=os.cpu_count(), python=platform.python_version(),
        workers=WORKERS, callers=CALLERS,
    )  # fmt: skip
    lines = [*faults(), *soak()]
    PAGE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
