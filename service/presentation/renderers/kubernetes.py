"""Kubernetes: a Deployment or Job of pods; a server on several nodes as LeaderWorkerSet."""

from __future__ import annotations

from typing import Any

from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.leaderworkerset import leader_worker_set
from service.presentation.renderers.pods import notes, pod
from service.presentation.renderers.work import Joined, Work


def kubernetes(work: Work) -> str:
    """Manifests to apply."""
    return yaml_text(notes(work), *manifests(work))


def manifests(work: Work) -> list[dict[str, Any]]:
    """What runs the work: by kind of work and number of pods."""
    if work.training:
        return training_job(work)
    return [leader_worker_set(work) if work.processes > 1 else deployment(work, pod(work))]


def deployment(work: Work, spec: dict[str, Any]) -> dict[str, Any]:
    """Servers of one pod each."""
    labels = {"app": work.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": work.name, "labels": labels},
        "spec": {
            "replicas": work.copies,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def training_job(work: Work) -> list[dict[str, Any]]:
    """A run; several pods find one another by an index and a headless service."""
    if work.processes == 1:
        return [job(work, {}, pod(work))]
    joined = Joined(
        processes=str(work.processes),
        rank="$(JOB_COMPLETION_INDEX)",
        head=f"{work.name}-0.{work.name}",
    )
    several = {
        "completionMode": "Indexed",
        "completions": work.processes,
        "parallelism": work.processes,
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": work.name},
        "spec": {"clusterIP": "None", "selector": {"app": work.name}},
    }
    return [service, job(work, several, {"subdomain": work.name, **pod(work, joined)})]


def job(work: Work, several: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """A Job that does not start again by itself: a run that failed needs a look."""
    labels = {"app": work.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": work.name, "labels": labels},
        "spec": {
            **several,
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": labels},
                "spec": {"restartPolicy": "Never", **spec},
            },
        },
    }
