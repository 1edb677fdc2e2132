"""gunicorn: threads, preload, no control socket, a heartbeat in shared memory."""

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
worker_class = "gthread"
threads = 8
preload_app = True
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # ruff: ignore[hardcoded-temp-file] - the heartbeat file
control_socket_disable = True
timeout = 30
graceful_timeout = 20
keepalive = 30
limit_request_line = 8190  # a link of the page may hold a config.json
limit_request_fields = 64
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
