"""Nodes are chosen by labels that the catalog knows; none is guessed."""

from collections.abc import Callable
from typing import Any

import yaml

from tests.renderers.checking import pods

Rendered = Callable[[str, str], str | None]


def required(rendered: Rendered, name: str) -> list[dict[str, Any]]:
    manifest = next(yaml.safe_load_all(rendered(name, "kubernetes") or ""))
    node = pods(manifest)[0]["affinity"]["nodeAffinity"]
    terms = node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    found: list[dict[str, Any]] = terms[0]["matchExpressions"]
    return found


def limits(rendered: Rendered, name: str) -> dict[str, str]:
    manifest = next(yaml.safe_load_all(rendered(name, "kubernetes") or ""))
    found: dict[str, str] = pods(manifest)[0]["containers"][0]["resources"]["limits"]
    return found


def test_a_card_with_a_product_label_is_chosen_by_it(rendered: Rendered) -> None:
    # GPU Feature Discovery: the name that NVML gives, blanks as hyphens
    assert required(rendered, "one card") == [
        {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-H100-80GB-HBM3"]}
    ]


def test_a_card_without_one_is_chosen_by_memory_and_capability(rendered: Rendered) -> None:
    # 97,887 MiB as its driver reports; compute capability 12.0
    memory, major, minor = required(rendered, "label by memory")
    assert memory == {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["97886"]}
    assert (major["values"], minor["values"]) == (["12"], ["0"])
    assert "product label" in (rendered("label by memory", "kubernetes") or "")


def test_a_slice_is_a_resource_of_its_own_on_its_parents_nodes(rendered: Rendered) -> None:
    assert limits(rendered, "slice") == {"nvidia.com/mig-3g.40gb": "1"}
    assert required(rendered, "slice")[0]["values"] == ["NVIDIA-A100-SXM4-80GB"]


def test_amd_cards_are_chosen_by_their_pci_ids(rendered: Rendered) -> None:
    # amdgpu.ids: 74A1 is the MI300X, 74B5 its virtual function
    assert limits(rendered, "amd") == {"amd.com/gpu": "1"}
    (device,) = required(rendered, "amd")
    assert device["key"] == "amd.com/gpu.device-id"
    assert {"74a1", "74b5"} <= set(device["values"])


def test_a_claim_asks_for_what_the_driver_reports_and_never_for_the_box(rendered: Rendered) -> None:
    template = next(yaml.safe_load_all(rendered("one card", "dra") or ""))
    (asked,) = template["spec"]["spec"]["devices"]["requests"]
    (selector,) = asked["exactly"]["selectors"]
    assert "compareTo(quantity('81559Mi')) >= 0" in selector["cel"]["expression"]
    assert "semver('9.0.0')" in selector["cel"]["expression"]


def test_a_claim_for_a_slice_names_its_profile(rendered: Rendered) -> None:
    text = rendered("slice", "dra") or ""
    assert "deviceClassName: mig.nvidia.com" in text
    assert "profile == '3g.40gb'" in text


def test_a_card_that_no_label_is_known_of_is_refused(rendered: Rendered) -> None:
    for name in ("amd without label", "apple"):
        assert rendered(name, "kubernetes") is None
        assert rendered(name, "kueue") is None


def test_a_type_that_the_site_names_is_said_to_be_unknown(rendered: Rendered) -> None:
    text = rendered("label by memory", "slurm") or ""
    assert "#SBATCH --gpus-per-task=1\n" in text
    assert "type of rtx-pro-6000-blackwell-server is not known" in text
