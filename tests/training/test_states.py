"""States of every optimizer against their authors' sources and published differences."""

from collections.abc import Callable

import pytest

Phase = Callable[..., dict[str, int]]
GIB = 1 << 30
LLAMA_2_7B = "llama-2-7b"
LLAMA_2_7B_PARAMETERS = 6_738_415_616


def states(phase: Phase, optimizer: str, **more: object) -> int:
    work = {"framework": "torchtune", "loss": "chunked", **more}
    return phase("optimizer", LLAMA_2_7B, optimizer=optimizer, **work).get("optimizer_states", 0)


@pytest.mark.parametrize(
    ("optimizer", "published_gib"), [("adamw-8bit", 12.30), ("adamw-4bit", 18.40)]
)
def test_packed_states_save_what_torchao_measured(
    phase: Phase, optimizer: str, published_gib: float
) -> None:
    # torchao `torchao/optim/README.md`, Llama-2-7B: 51.6, 39.3 and 33.2 GiB
    saved = states(phase, "adamw") - states(phase, optimizer)
    assert saved / GIB == pytest.approx(published_gib, rel=0.03)


def test_the_trainer_keeps_table_states_in_fp32(phase: Phase) -> None:
    # transformers 5.23 trainer.py, create_optimizer: nn.Embedding is overridden to 32 bit
    packed = states(phase, "adamw-8bit")
    trained = phase("optimizer", LLAMA_2_7B, optimizer="adamw-8bit")["optimizer_states"]
    table = 32_000 * 4_096
    assert trained - packed == 2 * table * 4 - 2 * (table + table // 256 * 4)


def test_paged_states_leave_only_their_scales_in_torch(phase: Phase) -> None:
    # bitsandbytes get_state_buffer pages from 1e5 values on; absmax is a plain tensor
    held = states(phase, "paged-adamw-8bit")
    norms = 65 * 4_096
    matrices = LLAMA_2_7B_PARAMETERS - norms
    assert held == 2 * (matrices // 256 * 4) + 2 * (norms + norms // 256 * 4)


def test_adafactor_keeps_rows_and_columns(phase: Phase) -> None:
    # transformers optimization.py: fp32 exp_avg_sq_row and exp_avg_sq_col, vectors whole
    layer = 4 * (4_096 + 4_096) + 3 * (4_096 + 11_008) + 2 * 4_096
    values = 32 * layer + 2 * (32_000 + 4_096) + 4_096
    assert states(phase, "adafactor") == 4 * values


def test_muon_keeps_one_state_of_hidden_matrices_and_two_of_the_rest(phase: Phase) -> None:
    hidden = 32 * (4 * 4_096 * 4_096 + 3 * 4_096 * 11_008)
    rest = LLAMA_2_7B_PARAMETERS - hidden
    assert states(phase, "muon") == 2 * (hidden + 2 * rest)


def test_galore_keeps_projections_of_hidden_matrices_only(phase: Phase) -> None:
    # arXiv 2403.03507, table 1: mn + mr + 2nr for rank r, m the smaller side
    square, wide = 128 * 4_096 * 3, 128 * (4_096 + 2 * 11_008)
    tables_and_norms = 2 * 32_000 * 4_096 + 65 * 4_096
    assert states(phase, "galore") == 2 * (32 * (4 * square + 3 * wide) + 2 * tables_and_norms)


def test_a_step_of_muon_holds_one_matrix_and_its_gram_matrices(phase: Phase) -> None:
    # torch/optim/_muon.py: the update, two bfloat16 iterates and two Gram matrices of 4096²
    held = phase("optimizer", LLAMA_2_7B, optimizer="muon")["optimizer_workspace"]
    assert held == max(4_096 * 11_008 * 6 + 4 * 4_096**2, 2 * (2 * 32_000 * 4_096 + 65 * 4_096))


def test_a_foreach_step_copies_all_parameters_and_a_fused_one_none(phase: Phase) -> None:
    # published peak minus steady state of Mistral 7B on one card: 26.98 GiB = gradients + copy
    eager = phase("optimizer", "mistralai/Mistral-7B-v0.1", optimizer="adamw")
    fused = phase("optimizer", "mistralai/Mistral-7B-v0.1", optimizer="adamw-fused")
    both = eager["gradients"] + eager["optimizer_workspace"]
    assert both / GIB == pytest.approx(26.98, rel=0.001)
    assert "optimizer_workspace" not in fused


def test_an_optimizer_in_backward_keeps_one_gradient(phase: Phase) -> None:
    found = phase("optimizer", LLAMA_2_7B, optimizer="adamw-fused", optimizer_in_backward=True)
    assert found["gradients"] == 2 * 32_000 * 4_096


@pytest.mark.parametrize(
    ("regime", "bytes_a_parameter"),
    [("amp", 16), ("pure-16bit", 8), ("fp32-master", 18), ("fp8", 16)],
)
def test_regimes_take_the_published_bytes_a_parameter(
    phase: Phase, regime: str, bytes_a_parameter: int
) -> None:
    # arXiv 1910.02054, section 3.1; Megatron-LM theoretical_memory_usage.py: 18 bytes
    found = phase("optimizer", LLAMA_2_7B, regime=regime, optimizer="adamw-fused")
    kinds = ("weights", "gradients", "optimizer_states", "master_weights")
    held = sum(found.get(kind, 0) for kind in kinds)
    assert held == bytes_a_parameter * LLAMA_2_7B_PARAMETERS
