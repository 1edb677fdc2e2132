"""gunicorn: workers by CPU quota, whole requests only, preload, a heartbeat in shared memory."""

import os
from pathlib import Path


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
