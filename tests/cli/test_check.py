"""`gpu-planner check` finds every fault with its file and line."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
KEPT = ("01-ai--yi-6b.yaml", "albert--albert-base-v2.yaml")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the data files with two models."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder, ignore=shutil.ignore_patterns("models"))
    (folder / "models").mkdir()
    for name in KEPT:
        shutil.copy(ROOT / "config" / "models" / name, folder / "models" / name)
    shutil.copy(ROOT / "gpus.yaml", tmp_path / "gpus.yaml")
    return folder


def checked(run: Run, config: Path) -> tuple[int, list[str]]:
    code, out, _ = run("check", "--config", str(config), "--gpus", str(config.parent / "gpus.yaml"))
    return code, out.replace(f"{config.parent}/", "").splitlines()


def broken(path: Path, old: str, new: str) -> int:
    """Put a fault into a file; the number of its line."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_sound_files_have_no_fault(run: Run, config: Path) -> None:
    assert checked(run, config) == (0, ["no fault found"])


def test_the_services_own_files_have_no_fault(run: Run) -> None:
    assert run("check") == (0, "no fault found\n", "")


def test_faults_of_several_cards_are_each_told_with_their_line(run: Run, config: Path) -> None:
    gpus = config.parent / "gpus.yaml"
    first = broken(gpus, '    vendor: "NVIDIA"\n', '    vendr: "NVIDIA"\n')
    second = broken(gpus, "    memory_label_gb: 24\n", '    memory_label_gb: "24"\n')
    code, lines = checked(run, config)
    assert code == 2
    assert [line.split(":")[1] for line in lines] == [str(first), str(second)]
    assert "unknown key; did you mean 'vendor'?" in lines[0]


def test_a_figure_that_cannot_be_is_told_with_its_line(run: Run, config: Path) -> None:
    gpus = config.parent / "gpus.yaml"
    line = broken(gpus, "    bandwidth_gb_per_s: 732\n", "    bandwidth_gb_per_s: -732\n")
    _, (only,) = checked(run, config)
    assert only == f"gpus.yaml:{line}: p100-sxm2-16gb.bandwidth_gb_per_s: must be above 0"


def test_a_group_of_no_card_is_told_once_the_cards_are_sound(run: Run, config: Path) -> None:
    broken(config.parent / "gpus.yaml", '  "a100": [a100-pcie-40gb', '  "a100": [a100-pcie-4gb')
    _, (only,) = checked(run, config)
    assert "groups.a100: names no card: 'a100-pcie-4gb'" in only


def test_faults_of_models_engines_and_tables_are_told_together(run: Run, config: Path) -> None:
    broken(config / "models" / KEPT[0], "hub_id:", "hubid:")
    model = broken(config / "models" / KEPT[1], 'model_type: "albert"', 'model_type: "alberto"')
    flag = broken(config / "engines" / "vllm.yaml", "    pooling:", "    poolin:")
    broken(config / "costs.yaml", "pue:", "puee:")
    code, lines = checked(run, config)
    assert code == 2
    assert [line.split(":")[0] for line in lines] == [
        *(f"config/models/{name}" for name in KEPT),
        "config/engines/vllm.yaml",
        "config/costs.yaml",
    ]
    assert f"vllm.yaml:{flag}: launch.flags.poolin: names no setting" in lines[2]
    assert f"{KEPT[1]}:{model}: config.model_type: no model_type is called 'alberto'" in lines[1]
