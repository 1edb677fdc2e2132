"""What is shared between numbers of replicas does not depend on the sequences that one holds."""

from dataclasses import replace

import pytest

from service.api.build import Catalogs
from service.catalog.models import entry_architecture
from service.domain.architecture import stages
from service.domain.questions import Serving, Split
from service.domain.requests import ServingWish
from service.domain.resolving import CardFacts, Frame, Notes, resolved_serving
from service.domain.serving_terms import forms

CARD = CardFacts(memory_bytes=80 << 30, name="card")


def serving(catalogs: Catalogs, engine: str, model: str) -> Serving:
    frame = Frame(
        model=entry_architecture(catalogs.models.pick(model)),
        precision=catalogs.precisions.pick("bfloat16"),
        quantization=catalogs.quantizations.pick("none"),
        split=Split(tensor=2, pipeline=2),
        card=CARD,
    )
    wish = ServingWish(engine=catalogs.engines.pick(engine), context_tokens=4096, concurrency=2)
    return resolved_serving(frame, wish, catalogs.stock, Notes())


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tensorrt-llm", "generic"])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "qwen3-30b-a3b", "deepseek-v2-lite"])
def test_a_steady_term_is_the_same_for_few_and_many_sequences(
    catalogs: Catalogs, engine: str, model: str
) -> None:
    few = serving(catalogs, engine, model)
    many = replace(few, sequences=few.sequences + 7, split=Split(tensor=2, pipeline=2, data=3))
    steady = [form for form in forms(few) if not form.follows_held and form.name != "weights"]
    for form in steady:
        for stage in stages(few.model, 2):
            assert form.amount(few, stage) == form.amount(many, stage), form.name
