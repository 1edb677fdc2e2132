"""What clusters are given is valid by their own schemas, and asks for the plan's cards."""

import shlex
import subprocess  # ruff: ignore[suspicious-subprocess-import]
from collections.abc import Callable

import pytest
import yaml

from service.domain.plan_results import Option, Plan
from tests.renderers.checking import check_manifest, pods, schema
from tests.renderers.plans import PLANS

Written = Callable[[str], dict[str, str]]
Planned = Callable[[str], Plan]
MANIFESTS = ("kubernetes", "leaderworkerset", "kueue", "dra")


def option(planned: Planned, name: str) -> Option:
    found = planned(name).recommendation
    assert found is not None
    return found


@pytest.mark.parametrize("system", MANIFESTS)
def test_manifests_are_valid_by_the_schemas_of_their_kinds(written: Written, system: str) -> None:
    texts = written(system)
    assert len(texts) > len(PLANS) * 2 // 3
    for text in texts.values():
        for manifest in yaml.safe_load_all(text):
            check_manifest(manifest)


@pytest.mark.parametrize("system", ["kubernetes", "leaderworkerset", "kueue"])
def test_pods_ask_for_the_plans_cards_in_all(
    written: Written, planned: Planned, system: str
) -> None:
    for name, text in written(system).items():
        found = [pod for one in yaml.safe_load_all(text) for pod in pods(one)]
        limits = [pod["containers"][0]["resources"]["limits"] for pod in found]
        assert sum(int(n) for one in limits for n in one.values()) == option(planned, name).cards


def test_a_pods_cards_never_outnumber_a_nodes(written: Written, planned: Planned) -> None:
    for name, text in written("kubernetes").items():
        for pod in (pod for one in yaml.safe_load_all(text) for pod in pods(one)):
            (cards,) = pod["containers"][0]["resources"]["limits"].values()
            plan = option(planned, name)
            assert int(cards) <= plan.cards_per_node
            assert int(cards) % plan.tensor_parallel == 0


def test_slurm_scripts_are_shell_and_ask_for_the_plans_cards(
    written: Written, planned: Planned
) -> None:
    texts = written("slurm")
    assert set(texts) == set(PLANS)
    for name, text in texts.items():
        assert subprocess.run(["bash", "-n"], check=False, input=text, text=True).returncode == 0
        asked = dict(
            line.removeprefix("#SBATCH --").split("=", 1)
            for line in text.splitlines()
            if line.startswith("#SBATCH")
        )
        cards = int(asked["gpus-per-task"].rsplit(":", 1)[-1]) * int(asked["ntasks"])
        copies = int(asked.get("array", "0-0").split("-")[1]) + 1
        assert cards * copies == option(planned, name).cards


def test_skypilot_tasks_are_valid_and_ask_for_the_plans_cards(
    written: Written, planned: Planned
) -> None:
    for name, text in written("skypilot").items():
        task = yaml.safe_load(text)
        schema("skypilot", "task").validate(task)
        (cards,) = task["resources"]["accelerators"].values()
        copies = task.get("service", {}).get("replicas", 1)
        assert cards * task["num_nodes"] * copies == option(planned, name).cards


def test_dstack_configurations_are_valid_and_ask_for_the_plans_cards(
    written: Written, planned: Planned
) -> None:
    for name, text in written("dstack").items():
        found = yaml.safe_load(text)
        schema("dstack", found["type"]).validate(found)
        cards = int(found["resources"]["gpu"].rsplit(":", 1)[-1])
        asked = cards * found.get("nodes", 1) * found.get("replicas", 1)
        assert asked == option(planned, name).cards


def test_ray_files_are_valid_and_ask_for_the_plans_cards(
    written: Written, planned: Planned
) -> None:
    for name, text in written("ray").items():
        found = yaml.safe_load(text)
        plan = option(planned, name)
        schema("ray", "training" if plan.training else "serving").validate(found)
        if plan.training:
            assert found["scaling_config"]["num_workers"] == plan.cards
            continue
        config = found["applications"][0]["args"]["llm_configs"][0]
        bundles = config["placement_group_config"]["bundles"]
        assert len(bundles) * config["deployment_config"]["num_replicas"] == plan.cards


def test_slices_are_cut_as_mig_parted_reads_it(written: Written) -> None:
    texts = written("mig")
    assert set(texts) == {"slice", "small slice"}
    for text in texts.values():
        schema("training", "mig").validate(yaml.safe_load(text))
    (config,) = yaml.safe_load(texts["slice"])["mig-configs"].values()
    assert config == [{"devices": [0], "mig-enabled": True, "mig-devices": {"3g.40gb": 2}}]


def test_processes_of_one_server_are_told_of_one_another(written: Written) -> None:
    (group,) = yaml.safe_load_all(written("kubernetes")["uneven nodes"])
    template = group["spec"]["leaderWorkerTemplate"]
    commands = [
        template[role]["spec"]["containers"][0]["command"]
        for role in ("leaderTemplate", "workerTemplate")
    ]
    assert commands[1] == [*commands[0], "--headless"]
    told = shlex.join(commands[0]).replace("'", "")
    assert "--nnodes $(LWS_GROUP_SIZE) --node-rank $(LWS_WORKER_INDEX)" in told
