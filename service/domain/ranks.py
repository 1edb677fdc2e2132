"""What one rank of a training run holds: its pipeline stage, its cut of every tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from service.domain.architecture import Architecture, counts, stages
from service.domain.questions import Split, TrainingRun
from service.domain.tensors import Tensor, Tensors, elements
from service.domain.units import ceil_div


def rank_part(tensor: Tensor, split: Split) -> Tensor:
    """The part of a tensor that the fullest rank holds before data-parallel sharding.

    Dense matrices are cut over the tensor-parallel ranks; experts are dealt over the
    expert-parallel ranks and cut over the expert-tensor ranks.
    Source: Megatron-LM `megatron/core/parallel_state.py`, expert model parallel groups.
    """
    if tensor.kind != "expert":
        return tensor.sharded(split.tensor)
    dealt = replace(tensor, count=ceil_div(tensor.count, split.expert))
    return dealt.sharded(split.expert_tensor or split.tensor)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bill:
    """Tensors that one rank holds before data-parallel sharding: routed experts apart."""

    dense: Tensors
    routed: Tensors
    dense_elements: int
    routed_elements: int

    @property
    def tensors(self) -> Tensors:
        """All of them."""
        return (*self.dense, *self.routed)

    @property
    def elements(self) -> int:
        """Values of all of them."""
        return self.dense_elements + self.routed_elements


def cut(split: Split) -> Split:
    """What of a split decides one rank's part of a tensor: one object for all alike."""
    return _cut(split.tensor, split.expert, split.expert_tensor)


@lru_cache(maxsize=4096)
def _cut(tensor: int, expert: int, expert_tensor: int) -> Split:
    return Split(tensor=tensor, expert=expert, expert_tensor=expert_tensor)


def bill_of(tensors: Tensors, split: Split) -> Bill:
    """One rank's parts of a list of tensors."""
    parts = tuple(rank_part(tensor, split) for tensor in tensors)
    dense = tuple(tensor for tensor in parts if tensor.kind != "expert")
    routed = tuple(tensor for tensor in parts if tensor.kind == "expert")
    return Bill(
        dense=dense,
        routed=routed,
        dense_elements=elements(dense),
        routed_elements=elements(routed),
    )


@lru_cache(maxsize=4096)
def rank_bill(model: Architecture, split: Split) -> Bill:
    """One rank's part of a model; `split` is a `cut`."""
    return bill_of(counts(model).bill, split)


def expert_data_ranks(run: TrainingRun) -> int:
    """Ranks that share one rank's part of an expert when it is sharded.

    Experts already lie on `expert` times as many ranks, so fewer are left to share each.
    """
    split = run.split
    spread = split.expert * (split.expert_tensor or split.tensor)
    return max(1, run.shards * split.tensor // spread)


def waiting_chunks(run: TrainingRun, stage: int) -> int:
    """Forward passes of a stage whose backward is still to come, in chunks of 1/v of the stage.

    1F1B: min(m, p - i);  interleaved: min(m·v, 2·(p - i - 1) + (v - 1)·p + 1)

    m  micro-batches   p  stages   i  this stage, from 0   v  chunks a stage

    Holds when:  a step runs m micro-batches, which is the gradient accumulation.
    Source:      Narayanan et al. 2021 (arXiv 2104.04473, section 2.2); Megatron-LM
                 `core/pipeline_parallel/schedules.py`, warm-up of the interleaved schedule.
    Checked by:  4 stages, 8 micro-batches: 4, 3, 2, 1; two chunks: 11 of 8 whole ones on the first.
    """
    stages_count, micro_batches, chunks = (
        run.split.pipeline,
        run.gradient_accumulation,
        run.virtual_stages,
    )
    left = stages_count - stage
    if chunks == 1:
        return min(micro_batches, left)
    return min(micro_batches * chunks, 2 * (left - 1) + (chunks - 1) * stages_count + 1)


@lru_cache(maxsize=4096)
def stage_model(model: Architecture, pipeline: int, virtual: int, index: int) -> Architecture:
    """The part of a model that one pipeline stage holds, as a model of its own.

    Tables and towers stand on the first stage, norm and head on the last, which keeps a copy of
    the table where both are tied. With virtual stages a rank holds every `pipeline`-th chunk.
    Source: Megatron-LM `core/models/gpt/gpt_model.py`, shared_embedding_or_output_weight.
    """
    if pipeline == 1:
        return model
    held = stages(model, pipeline * virtual)[index::pipeline]
    order = tuple(kind for stage in held for kind in model.layer_order[stage.start : stage.stop])
    present = tuple(sorted(set(order)))
    first, last = held[0].first, held[-1].last
    return replace(
        model,
        layer_kinds=tuple(model.layer_kinds[kind] for kind in present),
        layer_order=tuple(present.index(kind) for kind in order),
        embeddings=model.embeddings if first else (),
        towers=model.towers if first else (),
        head=(*model.head, *_table_copy(model)) if last else (),
        vocabulary_size=model.vocabulary_size if last else 0,
        tied=False,
    )


def _table_copy(model: Architecture) -> Tensors:
    if not model.tied:
        return ()
    tables = (tensor for tensor in model.embeddings if tensor.kind == "embedding")
    return tuple(replace(tensor, kind="lm_head") for tensor in tables)


def stage_run(run: TrainingRun, index: int) -> TrainingRun:
    """The run as one pipeline stage sees it."""
    if run.split.pipeline == 1:
        return run
    return replace(
        run,
        model=stage_model(run.model, run.split.pipeline, run.virtual_stages, index),
        in_flight=waiting_chunks(run, index),
    )


def stage_runs(run: TrainingRun) -> tuple[TrainingRun, ...]:
    """The run as each pipeline stage sees it, first to last."""
    return tuple(stage_run(run, index) for index in range(run.split.pipeline))


def waiting_share_bytes(run: TrainingRun, saved_bytes: int) -> int:
    """Activations of a stage that wait beside those of the micro-batch being walked back. [B]

    M_wait = A·(c - v)/v

    A  kept by one micro-batch on the whole stage   c  waiting chunks   v  chunks a stage

    Holds when:  the schedule is 1F1B or interleaved, and all micro-batches are alike.
    Source:      Narayanan et al. 2021, arXiv 2104.04473, section 2.2.
    Checked by:  4 chunks in flight, 1 a stage: three more times what one micro-batch keeps.
    """
    beyond = max(0, run.in_flight - run.virtual_stages)
    return ceil_div(saved_bytes * beyond, run.virtual_stages)
