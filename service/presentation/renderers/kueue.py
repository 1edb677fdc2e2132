"""Kueue: flavors of the plan's card, a queue with quota for it, and the work in that queue."""

from __future__ import annotations

from typing import Any

from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.kubernetes import manifests
from service.presentation.renderers.labels import Requirement, requirements, resource
from service.presentation.renderers.pods import notes, requests
from service.presentation.renderers.work import CannotRender, Work

API = "kueue.x-k8s.io/v1beta2"
QUEUE = "gpu-plans"
QUEUED = {"Deployment", "Job", "LeaderWorkerSet"}


def kueue(work: Work) -> str:
    """Manifests to apply: the first three once by who runs the cluster, the last by the user."""
    flavors = [flavor(work, label) for label in exact_labels(work)]
    head = [*notes(work), "the quota is what this plan takes: raise it to what the cluster has"]
    return yaml_text(head, *flavors, cluster_queue(work, flavors), local_queue(), *queued(work))


def exact_labels(work: Work) -> list[tuple[str, str]]:
    """Labels of which each names the card.

    Raises: CannotRender where the card is known by bounds only: a flavor matches labels exactly.
    """
    found: list[Requirement] = requirements(work)
    if len(found) != 1 or found[0]["operator"] != "In":
        raise CannotRender(
            f"a Kueue flavor matches labels exactly, and the product label of "
            f"{work.option.gpu.id} is not known"
        )
    return [(found[0]["key"], value) for value in found[0]["values"]]


def flavor(work: Work, label: tuple[str, str]) -> dict[str, Any]:
    """Nodes that carry a label."""
    key, value = label
    return {
        "apiVersion": API,
        "kind": "ResourceFlavor",
        "metadata": {"name": f"{work.option.gpu.id}-{value}".lower().replace("_", "-")},
        "spec": {"nodeLabels": {key: value}},
    }


def cluster_queue(work: Work, flavors: list[dict[str, Any]]) -> dict[str, Any]:
    """A queue that lets as many cards run as the plan takes."""
    pods = work.processes * work.copies
    quotas: list[dict[str, Any]] = [
        {"name": resource(work.option.gpu), "nominalQuota": str(work.cards * pods)}
    ]
    for name, amount in requests(work).items():
        quotas.append({"name": name, "nominalQuota": f"{int(amount.removesuffix('Gi')) * pods}Gi"})
    named = [{"name": one["metadata"]["name"], "resources": quotas} for one in flavors]
    covered = [quota["name"] for quota in quotas]
    return {
        "apiVersion": API,
        "kind": "ClusterQueue",
        "metadata": {"name": QUEUE},
        "spec": {
            "namespaceSelector": {},
            "resourceGroups": [{"coveredResources": covered, "flavors": named}],
        },
    }


def local_queue() -> dict[str, Any]:
    """The queue as a namespace sees it."""
    return {
        "apiVersion": API,
        "kind": "LocalQueue",
        "metadata": {"name": QUEUE, "namespace": "default"},
        "spec": {"clusterQueue": QUEUE},
    }


def queued(work: Work) -> list[dict[str, Any]]:
    """The work with the name of its queue."""
    found = manifests(work)
    for one in found:
        if one["kind"] in QUEUED:
            one["metadata"]["labels"] = {
                **one["metadata"]["labels"],
                "kueue.x-k8s.io/queue-name": QUEUE,
            }
    return found
