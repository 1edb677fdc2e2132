"""Command lines and configurations say what their programs take."""

import json
import re
import shlex
from collections.abc import Callable

import pytest
import yaml

from tests.renderers.checking import schema, wrong_words

Written = Callable[[str], dict[str, str]]
ENGINES = {
    "vllm": {"one card", "even nodes", "experts", "embedding", "packed cache", "replicas"},
    "sglang": {"sglang", "sglang on nodes"},
    "tensorrt-llm": {"tensorrt-llm"},
    "llama.cpp": {"llama.cpp", "llama.cpp on two", "apple"},
}


FOLLOWER = re.compile(r"\$\(\[ .* \] \|\| echo (\S+)\)")


def words_of(line: str) -> list[str]:
    """The words of a line, the one that followers add among them."""
    return shlex.split(FOLLOWER.sub(r"\1", line))


def command(text: str) -> list[str]:
    """The words of the one line that is no comment."""
    (line,) = (one for one in text.splitlines() if not one.startswith("#"))
    return words_of(line)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engines_line_has_flags_and_values_that_it_documents(
    written: Written, engine: str
) -> None:
    texts = written(engine)
    assert set(texts) >= ENGINES[engine]
    for text in texts.values():
        assert wrong_words(engine, command(text)) == []


def test_an_engine_that_lacks_a_flag_is_found() -> None:
    assert wrong_words("sglang", ["--tp-size", "2", "--gpu-memory-utilization"]) == [
        "--gpu-memory-utilization"
    ]
    assert wrong_words("vllm", ["--kv-cache-dtype", "q8_0"]) == ["--kv-cache-dtype q8_0"]


def test_torchrun_lines_have_flags_that_it_documents(written: Written) -> None:
    for text in written("torchrun").values():
        for line in (one for one in text.splitlines() if not one.startswith("#")):
            assert wrong_words("torchrun", shlex.split(line)) == []


def test_commands_in_clusters_have_flags_of_their_engine(written: Written) -> None:
    for name, text in written("dstack").items():
        found = yaml.safe_load(text)
        words = words_of(found["commands"][0])
        engines = {"vllm": "vllm", "python3": "sglang", "trtllm-serve": "tensorrt-llm"}
        programs = {**engines, "llama-server": "llama.cpp", "torchrun": "torchrun"}
        if words[0] in programs:
            assert wrong_words(programs[words[0]], words) == [], name


def test_llama_cpp_is_told_the_context_of_all_slots(written: Written) -> None:
    # llama-server divides --ctx-size by --parallel: 3 slots of 8,192 tokens
    words = command(written("llama.cpp")["llama.cpp"])
    assert words[words.index("--ctx-size") + 1] == "24576"
    assert words[words.index("--cache-type-k") + 1] == "q8_0"


def test_vllm_is_told_a_packed_cache_and_pooling(written: Written) -> None:
    assert "--kv-cache-dtype fp8" in written("vllm")["packed cache"]
    assert "--runner pooling" in written("vllm")["embedding"]


def test_a_run_on_two_nodes_starts_as_many_processes_as_it_has_cards(written: Written) -> None:
    words = command(written("torchrun")["full on nodes"])
    nodes, cards = (int(words[words.index(f) + 1]) for f in ("--nnodes", "--nproc-per-node"))
    config = yaml.safe_load(written("accelerate")["full on nodes"])
    assert (config["num_machines"], config["num_processes"]) == (nodes, nodes * cards)
    assert nodes > 1


def test_accelerate_reads_its_configuration(written: Written) -> None:
    texts = written("accelerate")
    assert set(texts) >= {"full", "zero", "zero with offload", "lora"}
    for text in texts.values():
        schema("training", "accelerate").validate(yaml.safe_load(text))
    assert "distributed_type: FSDP" in texts["full"]
    assert "offload_optimizer_device: cpu" in texts["zero with offload"]


def test_deepspeed_reads_its_configuration(written: Written) -> None:
    texts = written("deepspeed")
    assert set(texts) == {"zero", "zero with offload"}
    for text in texts.values():
        found = json.loads(text)
        schema("training", "deepspeed").validate(found)
        micro, accumulated = (
            found["train_micro_batch_size_per_gpu"], found["gradient_accumulation_steps"],
        )  # fmt: skip
        assert found["train_batch_size"] % (micro * accumulated) == 0
    assert json.loads(texts["zero"])["zero_optimization"] == {"stage": 3}
