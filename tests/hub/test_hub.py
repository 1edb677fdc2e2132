"""Ids that the catalog lacks, looked up on a stand-in of the Hub by the official client."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.app import create_app, hub_of
from service.catalog.errors import CatalogError
from service.catalog.hub import Absent, Hub
from service.catalog.hub_client import ENDPOINT, OfficialClient

SERVE = {"workload": {"kind": "inference"}}


def test_a_model_of_the_hub_is_counted_and_what_its_files_hold_beside_is_named(
    hub_client: FlaskClient,
) -> None:
    answer = hub_client.post("/v1/estimates", json={"model": "acme/small", **SERVE})
    assert answer.status_code == 200, answer.json
    model = answer.json["model"]
    assert (model["source"], model["name"]) == ("hub", "acme/small")
    # 596,049,920 unique parameters; the files hold the tied table of 151,936 x 1,024 twice
    assert model["parameters"] == 596_049_920
    assert model["checkpoint_parameters"] == 751_632_384
    assert [part["parameters"] for part in model["checkpoint_extras"]] == [151_936 * 1024]


def test_a_folder_of_a_pipeline_is_a_model_too(hub_client: FlaskClient) -> None:
    answer = hub_client.get("/v1/models/acme/pipeline/vae")
    # the autoencoder of Stable Diffusion 1.5
    assert answer.json["parameters"] == 83_653_863


def test_a_model_is_asked_for_once_and_weights_never(
    hub: Hub, hub_client: FlaskClient, asked: list[str], kept: Path
) -> None:
    hub.known.clear()
    for file in kept.glob("*.json"):
        file.unlink()
    for _ in range(3):
        hub.known.clear()
        assert hub_client.get("/v1/models/acme/small").status_code == 200
    config = "/acme/small/resolve/main/config.json"
    assert asked.count(f"GET {config}") == 1
    assert set(asked) == {f"HEAD {config}", f"GET {config}", "GET /api/models/acme/small"}


def test_the_catalog_comes_first_and_asks_nobody(hub_client: FlaskClient, asked: list[str]) -> None:
    assert hub_client.get("/v1/models/gpt2").status_code == 200
    assert asked == []


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("acme/missing", 404, "acme/missing"),
        ("acme/bare", 404, "acme/bare"),
        ("acme/gated", 403, "post its config"),
        ("acme/down", 502, "could not be asked"),
        ("acme/broken", 502, "not JSON"),
        ("acme/huge", 502, "1000001 bytes"),
        ("acme/elsewhere", 502, "another host"),
        ("acme/slow", 504, "0.5 s"),
        ("acme/odd", 404, "nobody-knows"),
    ],
)
def test_what_the_hub_does_not_give_is_a_clear_problem(
    hub_client: FlaskClient, name: str, status: int, words: str
) -> None:
    answer = hub_client.post("/v1/plans", json={"model": name, **SERVE})
    assert answer.status_code == status, answer.json
    assert answer.mimetype == "application/problem+json"
    assert words in answer.json["detail"]
    assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize("name", ["no-slash", "../../etc/passwd", "a/b/c/d", "a/..", "acme/sm all"])
def test_what_is_no_repository_is_asked_of_nobody(hub: Hub, asked: list[str], name: str) -> None:
    with pytest.raises(Absent):
        hub.entry(name)
    assert asked == []


def test_the_hub_is_off_by_default_and_its_host_is_fixed() -> None:
    assert hub_of({}) is None
    hub = hub_of({"HUB": "on", "HUB_CACHE": "/nowhere"})
    assert hub is not None
    assert isinstance(hub.network, OfficialClient)
    assert hub.network.endpoint == ENDPOINT == "https://huggingface.co"
    with pytest.raises(CatalogError, match="on or off"):
        hub_of({"HUB": "yes"})


def test_without_the_hub_an_unknown_id_is_unknown() -> None:
    answer = create_app().test_client().get("/v1/models/acme/small")
    assert answer.status_code == 404
