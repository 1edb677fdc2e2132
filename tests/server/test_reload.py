"""Catalog files that change while the service runs."""

import os
from pathlib import Path

import pytest
from flask import Flask

from service.api.reload import CatalogWatch
from service.app import create_app
from tests.server.conftest import Server, Start
from tests.support.contract import ROOT

CARDS = (ROOT / "gpus.yaml").read_text(encoding="utf-8")
CHANGED = CARDS + "# a later revision\n"
FAULTY = CARDS + "no_such_part: {}\n"


def published(folder: Path, revision: str, text: str) -> Path:
    """A file as Kubernetes mounts it: a link through a folder that is swapped in one step."""
    (folder / revision).mkdir(parents=True)
    (folder / revision / "gpus.yaml").write_text(text, encoding="utf-8")
    (folder / "fresh").symlink_to(revision)
    os.replace(folder / "fresh", folder / "..data")
    path = folder / "gpus.yaml"
    if not path.is_symlink():
        path.symlink_to("..data/gpus.yaml")
    return path


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("GPU_CATALOG", str(published(tmp_path, "1", CARDS)))
    return create_app()


def watch_of(app: Flask) -> CatalogWatch:
    found: CatalogWatch = app.extensions["catalog_watch"]
    return found


def polled(app: Flask) -> None:
    watch_of(app).poll()
    watch_of(app).poll()


def test_a_swapped_link_is_taken_into_use(served: Flask, tmp_path: Path) -> None:
    before = served.test_client().get("/readyz").json
    published(tmp_path, "2", CHANGED)
    polled(served)
    after = served.test_client().get("/readyz").json
    assert after["catalog_version"] != before["catalog_version"]
    assert (after["status"], after["catalog_reloads"]) == ("ok", 1)


def test_a_faulty_file_leaves_the_last_good_data(served: Flask, tmp_path: Path) -> None:
    before = served.test_client().get("/readyz").json
    published(tmp_path, "2", FAULTY)
    polled(served)
    polled(served)
    after = served.test_client().get("/readyz").json
    assert after["catalog_version"] == before["catalog_version"]
    assert (after["status"], after["catalog_reload_failures"]) == ("degraded", 1)
    assert "no_such_part" in after["catalog_error"]
    published(tmp_path, "3", CARDS)
    polled(served)
    assert served.test_client().get("/readyz").json["status"] == "ok"


def test_a_file_that_is_gone_leaves_the_last_good_data(served: Flask, tmp_path: Path) -> None:
    (tmp_path / "gpus.yaml").unlink()
    polled(served)
    assert served.test_client().get("/readyz").json["status"] == "degraded"
    assert served.test_client().get("/v1/gpus/h100-sxm5-80gb").status_code == 200


def test_a_file_still_being_written_is_not_read(served: Flask, tmp_path: Path) -> None:
    published(tmp_path, "2", CHANGED)
    watch_of(served).poll()
    assert watch_of(served).state.reloads == 0


def test_an_answer_keeps_the_catalog_that_it_began_with(served: Flask, tmp_path: Path) -> None:
    seen = []

    @served.before_request
    def swap() -> None:
        from service.api.answers import catalogs  # ruff: ignore[import-outside-top-level]

        seen.append(catalogs().version)
        published(tmp_path, "2", CHANGED)
        polled(served)
        seen.append(catalogs().version)

    served.test_client().get("/livez")
    assert seen[0] == seen[1] != watch_of(served).catalogs.version


def test_every_worker_takes_a_change_into_use(start: Start, tmp_path: Path) -> None:
    path = published(tmp_path / "cards", "1", CARDS)
    server = start(GPU_CATALOG=str(path), WEB_CONCURRENCY="2")
    before = versions(server)
    published(tmp_path / "cards", "2", CHANGED)
    server.wait(lambda: server.log.read_text(encoding="utf-8").count("is in use now") == 2)
    after = versions(server)
    assert len(after) == 1
    assert not after & before
    assert "planner_catalog_reloads 1.0" in server.get("/metrics").text


def versions(server: Server) -> set[str]:
    return {server.get("/readyz").json()["catalog_version"] for _ in range(20)}
