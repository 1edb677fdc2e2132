"""A model's name is the caller's text: it cannot break out of a comment, a shell or a document."""

import subprocess  # ruff: ignore[suspicious-subprocess-import]

import pytest
import yaml

from service.api.build import Catalogs
from service.api.plan_build import plan_request
from service.api.schemas import PLAN
from service.domain.plan_results import Plan
from service.domain.planner import plan
from service.presentation.renderers.table import render
from tests.renderers.checking import check_manifest
from tests.renderers.conftest import VERSIONS
from tests.renderers.plans import serving

NAME = "a'b\"; touch /tmp/x #\n$(id)\nkind: Pod"


@pytest.fixture(scope="module")
def hostile(catalogs: Catalogs) -> Plan:
    body = serving("llama-3.2-1b", "l4-24gb", quantizations=["none"])
    body["model"] = {"parameters": "1B", "name": NAME}
    return plan(plan_request(catalogs, PLAN.load(body)), catalogs.stock)


@pytest.mark.parametrize("system", ["slurm", "vllm"])
def test_a_script_stays_one_command(catalogs: Catalogs, hostile: Plan, system: str) -> None:
    text, file = render(system, hostile, catalogs.stock.gpus, VERSIONS)
    body = [line for line in text.splitlines() if line and not line.startswith("#")]
    script = "srun() { :; }; vllm() { :; }\n" + "\n".join(body).replace("vllm serve", "echo", 1)
    ran = subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True)
    assert ran.returncode == 0
    assert "uid=" not in ran.stdout
    assert file == "x-id-kind-pod.sh"


def test_a_manifest_keeps_the_name_as_one_word(catalogs: Catalogs, hostile: Plan) -> None:
    text, _ = render("kubernetes", hostile, catalogs.stock.gpus, VERSIONS)
    (manifest,) = yaml.safe_load_all(text)
    check_manifest(manifest)
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert container["command"][2] == NAME
