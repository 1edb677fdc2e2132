"""Pods: cards, node affinity, command, image."""

from __future__ import annotations

from typing import Any

from service.domain.units import GIB, ceil_div
from service.presentation.renderers.labels import label_notes, requirements, resource
from service.presentation.renderers.work import Joined, Work

UNKNOWN_IMAGE = "registry.example/your/image:tag"
Mapped = dict[str, Any]


def image(work: Work) -> str:
    """The engine's published image for the cards' vendor, else a place to put one's own."""
    starter = work.launch.starter
    known = starter.images if starter else {}
    return known.get(work.option.gpu.vendor.lower(), UNKNOWN_IMAGE)


def notes(work: Work) -> list[str]:
    """What has to be seen to before the pods run."""
    own = ["put your own image in"] if image(work) == UNKNOWN_IMAGE else []
    return [*work.head_lines(), *label_notes(work), *own]


def requests(work: Work) -> Mapped:
    """What one pod takes besides cards: host memory for what a run keeps off the cards."""
    host = work.option.host_bytes * work.cards
    return {"memory": f"{ceil_div(host, GIB)}Gi"} if host else {}


def container(work: Work, words: list[str], more: Mapped) -> Mapped:
    """The container with its resources; host memory is shared between the processes of a pod."""
    found: Mapped = {
        "name": "training" if work.training else "server",
        "image": image(work),
        "command": words,
    }
    starter = work.launch.starter
    if starter and not starter.files:
        key = {"name": "hf-token", "key": "token", "optional": True}
        found["env"] = [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": key}}]
    if work.port and not work.training:
        found["ports"] = [{"containerPort": work.port}]
    found["resources"] = more
    if work.cards > 1:
        found["volumeMounts"] = [{"name": "shared-memory", "mountPath": "/dev/shm"}]  # ruff: ignore[hardcoded-temp-file]
    return found


def limits(work: Work) -> Mapped:
    """Cards as a device plugin hands them out: whole ones, and never more than asked."""
    found: Mapped = {"limits": {resource(work.option.gpu): str(work.cards)}}
    return found | ({"requests": more} if (more := requests(work)) else {})


def affinity(work: Work) -> Mapped:
    """Only nodes with the plan's card."""
    terms = [{"matchExpressions": requirements(work)}]
    required = {"nodeSelectorTerms": terms}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def pod(work: Work, joined: Joined | None = None, *, follows: bool = False) -> Mapped:
    """The specification of one process's pod."""
    words = work.words(joined, image=True) + ([work.follower] if follows and work.follower else [])
    return {"affinity": affinity(work), **with_volumes(work, container(work, words, limits(work)))}


def with_volumes(work: Work, only: Mapped) -> Mapped:
    """Containers and the shared memory through which processes of several cards speak."""
    found: Mapped = {"containers": [only]}
    if work.cards > 1:
        found["volumes"] = [{"name": "shared-memory", "emptyDir": {"medium": "Memory"}}]
    return found
