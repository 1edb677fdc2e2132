"""Dynamic resource allocation: a claim for devices by what they can do, and pods that use it."""

from __future__ import annotations

from typing import Any

from service.domain.hardware import Gpu
from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.kubernetes import deployment, job
from service.presentation.renderers.pods import (
    UNKNOWN_IMAGE,
    container,
    image,
    requests,
    with_volumes,
)
from service.presentation.renderers.work import CannotRender, Work

DRIVER = "gpu.nvidia.com"
CLAIM = "cards"


def dra(work: Work) -> str:
    """Manifests to apply on Kubernetes 1.34 and newer with NVIDIA's driver for it.

    Raises: CannotRender for other vendors' cards and for several pods.
    """
    gpu = work.option.gpu
    if gpu.vendor.lower() != "nvidia":
        raise CannotRender(f"only NVIDIA's DRA driver is known, not {gpu.vendor}'s")
    if work.processes > 1:
        raise CannotRender("a claim belongs to one pod; use render=leaderworkerset for several")
    template = f"{work.name}-{CLAIM}"
    use = {"claims": [{"name": CLAIM}]} | ({"requests": r} if (r := requests(work)) else {})
    spec = {
        "resourceClaims": [{"name": CLAIM, "resourceClaimTemplateName": template}],
        **with_volumes(work, container(work, work.words(image=True), use)),
    }
    runs = job(work, {}, spec) if work.training else deployment(work, spec)
    own = ["put your own image in"] if image(work) == UNKNOWN_IMAGE else []
    return yaml_text([*work.head_lines(), *own], claim_template(work, template), runs)


def claim_template(work: Work, name: str) -> dict[str, Any]:
    """A claim for as many devices as one pod needs."""
    asked = {
        "deviceClassName": "mig.nvidia.com" if work.option.gpu.is_mig else DRIVER,
        "count": work.cards,
        "selectors": [{"cel": {"expression": expression(work.option.gpu)}}],
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": {"requests": [{"name": "card", "exactly": asked}]}}},
    }


def expression(gpu: Gpu) -> str:
    """The card in CEL: at least its memory, its compute capability, of a slice its profile.

    Memory is asked as what the driver reports: a card of 80 GB never has 80 Gi.
    Names as in k8s-dra-driver-gpu cmd/gpu-kubelet-plugin/deviceinfo.go at 22407113.
    """
    memory = f"quantity('{gpu.shown_mib}Mi')"
    parts = [f"device.capacity['{DRIVER}'].memory.compareTo({memory}) >= 0"]
    if gpu.mig:
        parts.append(f"device.attributes['{DRIVER}'].profile == '{gpu.mig.profile}'")
    if gpu.compute_capability:
        capability = f"semver('{gpu.compute_capability}.0')"
        attribute = f"device.attributes['{DRIVER}'].cudaComputeCapability"
        parts.append(f"{attribute}.compareTo({capability}) == 0")
    return " && ".join(parts)
