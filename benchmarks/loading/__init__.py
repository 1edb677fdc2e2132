"""What torch's pool holds after MXFP4 experts were swizzled: `python -m benchmarks.loading`.

Torch operations that prepare experts for Triton's kernels make temporaries as large as the matrix.
A result that is smaller than the segment it lands in keeps the whole segment from being returned,
so the pool stays larger than what is allocated, and vLLM's budget counts what is allocated. The
replay walks the steps of `swizzle_data` layer by layer through a model of torch's caching
allocator; the shares of `expert_gap_shares` in `config/engines/vllm.yaml` are its results.

    allocator.py  segments, blocks and best fit, as torch's allocator has them
    swizzling.py  the tensors of gpt-oss and the steps that prepare its experts
"""
