"""Models that do not generate: no cache, nothing sampled, and the answer says so."""

import pytest
from flask.testing import FlaskClient

from service.app import ROOT, read_catalogs
from service.catalog.models import entry_architecture
from service.domain.architecture import stages
from service.domain.sums import stage_weight_bytes, weight_sums

CATALOGS = read_catalogs(ROOT / "config", ROOT / "gpus.yaml")
MODELS, STOCK = CATALOGS.models, CATALOGS.stock


def term(answer: dict[str, object], name: str) -> dict[str, object]:
    return next(t for t in answer["per_card"]["terms"] if t["name"] == name)


def estimate(client: FlaskClient, model: object, **workload: object) -> dict[str, object]:
    body = {"model": model, "workload": {"kind": "inference", **workload}}
    answer = client.post("/v1/estimates", json={**body, "placement": {"gpu": "l4-24gb"}})
    assert answer.status_code == 200, answer.json
    return answer.json


def test_an_embedding_model_keeps_no_cache_and_samples_nothing(client: FlaskClient) -> None:
    answer = estimate(client, "BAAI/bge-large-en-v1.5", concurrency=64)
    # 335,141,888 parameters in BertModel of transformers 5.23.0
    assert term(answer, "weights")["values"]["checkpoint_bytes"] == 2 * 335_141_888
    assert term(answer, "kv_cache")["expected_bytes"] == 0
    assert term(answer, "activations")["values"]["sampler_bytes"] == 0
    assert answer["limits"]["kv_cache_capacity_tokens"] == 0
    assert "pooling-model" in {w["code"] for w in answer["warnings"]}


def test_shared_blocks_weigh_once_on_every_stage() -> None:
    albert = entry_architecture(MODELS.pick("albert-base-v2"))
    sums = weight_sums(albert, STOCK.quantizations["none"], STOCK.precisions["float32"], 1, 1)
    first, last = (stage_weight_bytes(albert, sums, stage) for stage in stages(albert, 2))
    block, table = 7_087_872, 30_000 * 128
    # 11,221,680 unique parameters; both stages hold the block, and the table on both ends is tied
    assert first + last >= 4 * (11_221_680 + block + table)
    assert sum(stage_weight_bytes(albert, sums, s) for s in stages(albert, 1)) == 4 * 11_221_680


def test_a_roberta_refuses_what_lies_behind_its_padding(client: FlaskClient) -> None:
    body = {"model": "bge-m3", "workload": {"kind": "inference", "context_tokens": 8193}}
    answer = client.post("/v1/plans", json=body)
    # 8,194 rows, of which the first two belong to the padding
    assert answer.status_code == 422
    assert "8192" in answer.json["detail"]
    assert answer.json["errors"][0]["pointer"] == "/workload/context_tokens"


def test_a_plan_for_a_reranker_starts_a_pooling_runner(client: FlaskClient) -> None:
    body = {"model": "bge-reranker-large", "workload": {"kind": "inference"}}
    answer = client.post("/v1/plans", json=body).json
    assert answer["recommendation"]["cards"] == 1
    assert "--runner pooling" in answer["recommendation"]["launch"]["command"]


def test_training_an_embedding_model_has_no_logits(client: FlaskClient) -> None:
    body = {"model": "bge-base-en-v1.5", "workload": {"kind": "training", "sequence_tokens": 512}}
    answer = client.post("/v1/estimates", json=body).json
    assert "logits" not in {t["name"] for phase in answer["phases"] for t in phase["terms"]}


def test_whisper_keeps_its_text_and_half_a_minute_of_sound(client: FlaskClient) -> None:
    answer = estimate(client, "whisper-large-v3", concurrency=8)
    # 2 x 32 layers x 1,280 x 2 B = 163,840 B a token; 448 of text, 1,500 of sound, blocks of 16
    assert term(answer, "kv_cache")["expected_bytes"] == 8 * 163_840 * (448 + 1_504)
    assert term(answer, "weights")["expected_bytes"] == 2 * 1_543_490_560


def test_whisper_refuses_more_than_its_448_places(client: FlaskClient) -> None:
    for path in ("/v1/estimates", "/v1/plans"):
        answer = client.get(f"{path}?model=whisper-large-v3&context_tokens=449")
        assert answer.status_code == 422
        assert "limit of 448" in answer.json["detail"]
    allowed = "/v1/plans?model=whisper-large-v3&context_tokens=449&allow_context_beyond_limit=true"
    assert client.get(allowed).status_code == 200


def test_a_translator_keeps_source_and_target(client: FlaskClient) -> None:
    answer = estimate(client, "opus-mt-en-de", context_tokens=512)
    # 6 layers x 2 x 512 x 2 B = 12,288 B for each token of both sides
    assert term(answer, "kv_cache")["expected_bytes"] == 12_288 * (512 + 512)
    assert "encoder-decoder" in {w["code"] for w in answer["warnings"]}


def test_mbart_large_50_is_read_from_its_config(client: FlaskClient) -> None:
    # facebook/mbart-large-50, which the catalog lacks: 610,879,488 parameters published
    config = {
        "model_type": "mbart", "architectures": ["MBartForConditionalGeneration"],
        "d_model": 1024, "vocab_size": 250054, "max_position_embeddings": 1024,
        "encoder_layers": 12, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096,
        "decoder_layers": 12, "decoder_attention_heads": 16, "decoder_ffn_dim": 4096,
    }  # fmt: skip
    answer = estimate(client, {"config": config}, context_tokens=512)
    assert answer["model"]["parameters"] == 610_879_488


def test_a_diffusion_transformer_answers_with_weights_and_says_so(client: FlaskClient) -> None:
    answer = estimate(client, "black-forest-labs/FLUX.1-dev/transformer")
    # 11,901,408,320 parameters on the Hub and in diffusers 0.42.1
    assert term(answer, "weights")["expected_bytes"] == 2 * 11_901_408_320
    assert "activations" not in {t["name"] for t in answer["per_card"]["terms"]}
    assert "weights-only" in {w["code"] for w in answer["warnings"]}


def test_a_diffusion_model_is_neither_split_nor_trained(client: FlaskClient) -> None:
    model = "flux.1-dev-transformer"
    split = {"model": model, "workload": {"kind": "inference"}, "placement": {"cards": 2}}
    assert client.post("/v1/estimates", json=split).status_code == 422
    train = client.post("/v1/estimates", json={"model": model, "workload": {"kind": "training"}})
    assert train.status_code == 422
    assert "diffusion" in train.json["detail"]
    plan = client.post("/v1/plans", json={"model": model, "workload": {"kind": "inference"}})
    assert plan.json["recommendation"]["cards"] == 1


def test_a_u_net_that_is_not_modelled_is_refused_by_field(client: FlaskClient) -> None:
    config = {
        "_class_name": "UNet2DConditionModel", "block_out_channels": [32, 64],
        "down_block_types": ["DownBlock2D", "DownBlock2D"], "class_embed_type": "timestep",
    }  # fmt: skip
    body = {"model": {"config": config}, "workload": {"kind": "inference"}}
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/model/config/class_embed_type"


@pytest.mark.parametrize("engine", sorted(CATALOGS.engines.entries))
def test_every_engine_answers_for_what_does_not_generate(client: FlaskClient, engine: str) -> None:
    embedding = estimate(client, "bge-base-en-v1.5", engine=engine, concurrency=4)
    again = estimate(client, "bge-base-en-v1.5", engine=engine, concurrency=8, context_tokens=64)
    assert term(embedding, "kv_cache")["expected_bytes"] == 0
    assert term(again, "kv_cache")["expected_bytes"] == 0
    picture = estimate(client, "flux.1-schnell-transformer", engine=engine)
    assert {t["name"] for t in picture["per_card"]["terms"]} <= {
        "weights", "kv_cache", "communication", "runtime",
    }  # fmt: skip
