"""What holds a system's input to that system: its published schemas, parsers and flags."""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import yaml

DATA = Path(__file__).parent / "data"
KUBERNETES = (
    Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.37.0-local-strict"
)
OWN_KINDS = {
    "LeaderWorkerSet": "leaderworkerset",
    "ResourceFlavor": "kueue",
    "ClusterQueue": "kueue",
    "LocalQueue": "kueue",
}


@cache
def schema(file: str, part: str) -> Any:
    """A schema of the data folder."""
    text = (DATA / f"{file}.json").read_text(encoding="utf-8")
    return jsonschema_rs.validator_for(json.loads(text)[part])


def kubernetes_file(uri: str) -> Any:
    """A part of Kubernetes' own schemas, by the name of its file."""
    return json.loads((KUBERNETES / uri.rsplit("/", 1)[-1]).read_text(encoding="utf-8"))


@cache
def kubernetes_schema(kind: str, version: str) -> Any:
    """Kubernetes' schema of a kind, unknown fields refused."""
    group, _, number = version.rpartition("/")
    stem = "-".join(filter(None, (kind, group.split(".")[0], number)))
    return jsonschema_rs.validator_for(
        kubernetes_file(f"{stem.lower()}.json"),
        base_uri="https://kubernetes.invalid/",
        retriever=kubernetes_file,
    )


@cache
def flags() -> dict[str, Any]:
    """Flags of every command line."""
    text = (DATA / "flags.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def check_manifest(manifest: dict[str, Any]) -> None:
    """Hold a manifest to its kind's schema, a LeaderWorkerSet's pods to the pod's too."""
    kind = manifest["kind"]
    if kind not in OWN_KINDS:
        kubernetes_schema(kind, manifest["apiVersion"]).validate(manifest)
        return
    schema(OWN_KINDS[kind], kind).validate(manifest)
    if kind == "LeaderWorkerSet":
        group = manifest["spec"]["leaderWorkerTemplate"]
        for role in ("leaderTemplate", "workerTemplate"):
            template = {"apiVersion": "v1", "kind": "PodTemplate", "template": group[role]}
            kubernetes_schema("PodTemplate", "v1").validate(template)


def pods(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Specifications of all pods that a manifest starts, one entry a pod."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "LeaderWorkerSet":
        group = spec["leaderWorkerTemplate"]
        workers = [group["workerTemplate"]] * (group["size"] - 1)
        return [one["spec"] for one in (group["leaderTemplate"], *workers)] * spec["replicas"]
    if manifest["kind"] in {"Deployment", "Job"}:
        count = spec.get("replicas", spec.get("completions", 1))
        return [spec["template"]["spec"]] * count
    return []


def wrong_words(program: str, words: list[str]) -> list[str]:
    """Flags that a program does not have, and values that a flag does not take."""
    known = flags()[program]
    found = [word for word in words if word.startswith("--") and word not in known["flags"]]
    for flag, value in pairwise(words):
        if flag in known["values"] and value not in known["values"][flag]:
            found.append(f"{flag} {value}")
    return found
