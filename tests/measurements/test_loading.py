"""What torch's pool holds after loading, replayed, against start-up logs of vLLM."""

from benchmarks.loading.swizzling import VERSIONS, load

GIB = 2**30


def test_the_replay_reserves_what_the_log_says_is_gone() -> None:
    # gpt-oss-20b on one H100, vLLM 0.19: 78.68 GiB free at start, 62.77 after profiling, of which
    # 0.25 are not torch's: 15.66 reserved, for "Model loading took 13.64 GiB" (llm-d-planner logs)
    allocated, reserved, _ = load(32, 24, 1, VERSIONS["0.17"])
    assert abs(allocated / GIB - 13.64) < 0.03
    assert abs(reserved / GIB - 15.66) < 0.05


def test_the_replay_allocates_what_another_version_s_log_says() -> None:
    # gpt-oss-120b on one H100, vLLM 0.14.1: 64.38 GiB (vllm issue 33155)
    allocated, _, _ = load(128, 36, 1, VERSIONS["0.12"])
    assert abs(allocated / GIB - 64.38) < 0.02
