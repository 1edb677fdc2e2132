"""gunicorn: workers by CPU quota, whole requests only, preload, a heartbeat in shared memory."""

import gc
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


def cpu_quota() -> int:
    """Whole processors that the container may use, at least one."""
    limit = Path("/sys/fs/cgroup/cpu.max")
    if limit.exists():
        quota, period = limit.read_text(encoding="ascii").split()
        if quota != "max":
            return max(1, int(quota) // int(period))
    return len(os.sched_getaffinity(0))


bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", cpu_quota()))
worker_class = "service.server.worker.BufferingWorker"
threads = 8
worker_connections = 2000
preload_app = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # ruff: ignore[hardcoded-temp-file] - the heartbeat file
control_socket_disable = True
timeout = 30
graceful_timeout = 20
keepalive = 75
max_requests = 100_000
max_requests_jitter = 20_000
limit_request_line = 8190  # a link of the page may hold a config.json
limit_request_fields = 64
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
logger_class = "service.server.access_log.JsonAccessLog"
accesslog = os.environ.get("ACCESS_LOG", "-") or None

os.environ.setdefault("REQUEST_SECONDS", "20")
METRICS = "PROMETHEUS_MULTIPROC_DIR"
own_metrics = METRICS not in os.environ
if own_metrics:
    with suppress(OSError):  # nowhere to write: each worker then tells its own metrics
        os.environ[METRICS] = tempfile.mkdtemp(prefix="planner-metrics-", dir=worker_tmp_dir)
else:
    Path(os.environ[METRICS]).mkdir(parents=True, exist_ok=True)


def on_starting(_server: Any) -> None:
    """Metrics begin anew with the service."""
    for left in Path(os.environ.get(METRICS, os.devnull)).glob("*.db"):
        left.unlink()


def when_ready(_server: Any) -> None:
    """What was read is there to stay: no collection looks at it, and workers share its pages."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Each worker watches the catalog files from a thread of its own."""
    watch = worker.wsgi.extensions.get("catalog_watch")
    if watch is not None:  # the benchmarks serve bare applications too
        watch.start()


def child_exit(_server: Any, worker: Any) -> None:
    """What a worker counted stays counted; what it was doing is over."""
    from prometheus_client.multiprocess import mark_process_dead  # ruff: ignore[import-outside-top-level] - it reads the folder's name as it loads

    if METRICS in os.environ:
        mark_process_dead(worker.pid)


def on_exit(_server: Any) -> None:
    """Leave nothing in shared memory."""
    if own_metrics and METRICS in os.environ:
        shutil.rmtree(os.environ[METRICS], ignore_errors=True)
