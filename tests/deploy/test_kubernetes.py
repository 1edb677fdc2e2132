"""The manifests: Kubernetes' strict schemas, restricted pods, names that meet."""

import shutil
import subprocess  # ruff: ignore[suspicious-subprocess-import] - fixed arguments
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.app import SERVICE_VERSION
from tests.renderers.checking import check_manifest

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_bytes())
RESOURCES: dict[str, Any] = {
    manifest["kind"]: manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((FOLDER / name).read_bytes())
}
POD = RESOURCES["Deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
LABELS = RESOURCES["Deployment"]["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("kind", RESOURCES)
def test_kubernetes_knows_every_field(kind: str) -> None:
    check_manifest(RESOURCES[kind])


def test_every_file_of_the_folder_is_used() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


def test_the_pod_is_restricted() -> None:
    """Pod Security Standards, "Restricted": the fields that a pod has to state."""
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"]["allowPrivilegeEscalation"] is False
    assert CONTAINER["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    assert {next(key for key in volume if key != "name") for volume in POD["volumes"]} == {
        "configMap", "emptyDir",
    }  # fmt: skip


def test_selectors_pick_the_pods() -> None:
    selectors = (
        RESOURCES["Deployment"]["spec"]["selector"]["matchLabels"],
        RESOURCES["Service"]["spec"]["selector"],
        RESOURCES["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        RESOURCES["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    )
    assert all(selector.items() <= LABELS.items() for selector in selectors)
    assert all(selectors)


def test_ports_meet() -> None:
    port = CONTAINER["ports"][0]
    probes = [
        CONTAINER[f"{kind}Probe"]["httpGet"]["port"]
        for kind in ("startup", "liveness", "readiness")
    ]
    assert {*probes, RESOURCES["Service"]["spec"]["ports"][0]["targetPort"]} == {port["name"]}
    assert RESOURCES["NetworkPolicy"]["spec"]["ingress"][0]["ports"] == [
        {"port": port["containerPort"]}
    ]
    assert RESOURCES["NetworkPolicy"]["spec"]["egress"] == []


def test_the_autoscaler_counts_the_deployment_and_alone() -> None:
    target = RESOURCES["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == RESOURCES["Deployment"]["metadata"]["name"]
    assert "replicas" not in RESOURCES["Deployment"]["spec"]
    assert KUSTOMIZATION["images"] == [{"name": CONTAINER["image"], "newTag": SERVICE_VERSION}]


def test_the_list_of_cards_is_mounted_where_the_service_reads_it() -> None:
    generated = KUSTOMIZATION["configMapGenerator"][0]
    volume = next(one for one in POD["volumes"] if "configMap" in one)
    mount = next(one for one in CONTAINER["volumeMounts"] if one["name"] == volume["name"])
    catalog = next(one for one in CONTAINER["env"] if one["name"] == "GPU_CATALOG")["value"]
    assert volume["configMap"]["name"] == generated["name"]
    assert catalog == f"{mount['mountPath']}/{Path(generated['files'][0]).name}"
    assert "subPath" not in mount
    assert (FOLDER / generated["files"][0]).stat().st_size < 1_048_576  # what a ConfigMap may hold


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing")
def test_kustomize_builds_what_kubernetes_takes() -> None:
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(FOLDER)]
    built = subprocess.run(command, capture_output=True, check=True).stdout
    manifests = list(yaml.load_all(built, yaml.CSafeLoader))
    for manifest in manifests:
        check_manifest(manifest)
    assert {one["kind"] for one in manifests} == {*RESOURCES, "ConfigMap"}
