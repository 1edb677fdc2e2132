"""How a cluster knows a card: its resource and its node labels; what is not known is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.domain.hardware import Gpu
from service.presentation.renderers.work import CannotRender, Work

Requirement = dict[str, Any]
VENDOR_RESOURCES: Mapping[str, str] = {
    "nvidia": "nvidia.com/gpu",
    "amd": "amd.com/gpu",
}
"""Resources of the vendors' device plugins (kubernetes.io, Schedule GPUs)."""


def resource(gpu: Gpu) -> str:
    """The resource that a pod asks for.

    Raises: CannotRender where no device plugin is known.
    """
    found = gpu.systems.kubernetes_resource or VENDOR_RESOURCES.get(gpu.vendor.lower())
    if found is None:
        raise CannotRender(f"no Kubernetes resource is known for {gpu.id}")
    return found


def labelled(work: Work) -> Gpu:
    """The card whose labels a node carries: of a MIG slice the one that it is cut from."""
    gpu = work.option.gpu
    return work.gpus[gpu.mig.parent] if gpu.mig else gpu


def is_in(key: str, *values: str) -> Requirement:
    """A label with one of some values."""
    return {"key": key, "operator": "In", "values": list(values)}


def nvidia_requirements(gpu: Gpu) -> list[Requirement]:
    """The product, or where its label is not known the memory and the compute capability.

    Labels as GPU Feature Discovery writes them (k8s-device-plugin docs/gpu-feature-discovery).
    """
    if gpu.systems.kubernetes_products:
        return [is_in("nvidia.com/gpu.product", *gpu.systems.kubernetes_products)]
    major, _, minor = (gpu.compute_capability or "").partition(".")
    if not minor:
        raise CannotRender(f"neither product label nor compute capability of {gpu.id} is known")
    return [
        {
            "key": "nvidia.com/gpu.memory",
            "operator": "Gt",
            "values": [str(gpu.shown_mib - 1)],
        },
        is_in("nvidia.com/gpu.compute.major", major),
        is_in("nvidia.com/gpu.compute.minor", minor),
    ]


def amd_requirements(gpu: Gpu) -> list[Requirement]:
    """The PCI device, as AMD's node labeller writes it."""
    if not gpu.systems.pci_ids:
        raise CannotRender(f"no node label of {gpu.id} is known: its PCI ids are not in gpus.yaml")
    return [is_in("amd.com/gpu.device-id", *gpu.systems.pci_ids)]


REQUIREMENTS: Mapping[str, Callable[[Gpu], list[Requirement]]] = {
    "nvidia": nvidia_requirements,
    "amd": amd_requirements,
}


def requirements(work: Work) -> list[Requirement]:
    """What a node's labels must say.

    Raises: CannotRender where no label is known.
    """
    gpu = labelled(work)
    found = REQUIREMENTS.get(gpu.vendor.lower())
    if found is None:
        raise CannotRender(f"no node label is known for cards of {gpu.vendor}")
    return found(gpu)


def label_notes(work: Work) -> list[str]:
    """What to say of the labels."""
    gpu = labelled(work)
    by_memory = gpu.vendor.lower() == "nvidia" and not gpu.systems.kubernetes_products
    return (
        [f"the product label of {gpu.id} is not known: nodes are chosen by memory and capability"]
        if by_memory
        else []
    )
