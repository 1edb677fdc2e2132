"""LeaderWorkerSet: groups of pods that are one server or one run, started and ended together."""

from __future__ import annotations

from typing import Any

from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.pods import notes, pod
from service.presentation.renderers.work import Joined, Work

VARIABLES = Joined(
    processes="$(LWS_GROUP_SIZE)", rank="$(LWS_WORKER_INDEX)", head="$(LWS_LEADER_ADDRESS)"
)
"""Set in every pod of a group by the controller (LeaderWorkerSet docs, environment variables)."""


def leaderworkerset(work: Work) -> str:
    """A manifest to apply."""
    return yaml_text(notes(work), leader_worker_set(work))


def leader_worker_set(work: Work) -> dict[str, Any]:
    """One group a server; a group of one pod has no one to join."""
    joined = VARIABLES if work.processes > 1 else None
    labels = {"app": work.name}

    def template(role: str, *, follows: bool) -> dict[str, Any]:
        spec = pod(work, joined, follows=follows)
        return {"metadata": {"labels": {**labels, "role": role}}, "spec": spec}

    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": work.name, "labels": labels},
        "spec": {
            "replicas": work.copies,
            "leaderWorkerTemplate": {
                "size": work.processes,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": template("leader", follows=False),
                "workerTemplate": template("worker", follows=True),
            },
        },
    }
