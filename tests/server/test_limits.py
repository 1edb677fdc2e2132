"""Bounds on the time of an answer and on the queue."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from flask import Flask

from service.api.deadline import Alarms, TookTooLong
from service.app import create_app
from service.catalog.errors import CatalogError
from service.server.admission import Admission
from service.server.refusal import busy
from tests.server.conftest import Start

FLEET = "/v1/plans?model=deepseek-v3&context_tokens=32768&concurrency=64"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("REQUEST_SECONDS", "1")
    app = create_app()
    app.add_url_rule("/endless", view_func=endless)
    return app


def endless() -> str:
    while True:
        with suppress(Exception):
            sum(range(100))


def test_an_endless_answer_is_a_problem_and_the_next_one_is_well(hurried: Flask) -> None:
    caller = hurried.test_client()
    answer = caller.get("/endless", headers={"X-Request-Id": "slow-1"})
    assert (answer.status_code, answer.json["request_id"]) == (503, "slow-1")
    assert answer.headers["Retry-After"] == "10"
    assert caller.get("/v1/gpus").status_code == 200


def test_work_in_time_is_left_alone() -> None:
    alarms = Alarms()
    with alarms.within(0.2):
        pass
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        sum(range(100))


def test_only_the_late_of_many_threads_are_stopped() -> None:
    alarms, late = Alarms(), threading.Event()

    def work(seconds: float) -> str:
        try:
            with alarms.within(seconds):
                while not late.is_set():
                    sum(range(100))
        except TookTooLong:
            late.set()
            return "late"
        return "in time"

    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(work, [60, 60, 0.1, 60, 60]))
    assert found == ["in time", "in time", "late", "in time", "in time"]


@pytest.mark.parametrize("said", ["", "0", "-1", "soon", "nan"])
def test_a_senseless_bound_stops_the_start(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUEST_SECONDS", said)
    with pytest.raises(CatalogError, match="REQUEST_SECONDS"):
        create_app()


def test_the_queue_lets_in_who_waits_no_longer_than_the_bound() -> None:
    door = Admission(threads=2, seconds=5)
    for _ in range(200):
        door.finish(1.0)
    lengths = []
    while door.retry_seconds(0) is None:
        door.enter(0)
        lengths.append(door.wait_seconds(0))
    assert len(lengths) == 11
    assert lengths[9] == pytest.approx(5)


def test_a_queue_that_stands_still_lets_nobody_in() -> None:
    door = Admission(threads=2, seconds=5)
    door.enter(0)
    assert door.retry_seconds(4) is None
    assert door.retry_seconds(7) == 7
    door.begin()
    assert door.retry_seconds(7) is None


def test_a_refusal_carries_the_callers_id_and_nobody_elses() -> None:
    own = busy(b"GET / HTTP/1.1\r\nX-Request-ID: mine-7\r\n\r\n", 3)
    assert b"X-Request-Id: mine-7\r\nRetry-After: 3\r\n" in own
    forged = busy(b"POST / HTTP/1.1\r\n\r\n\r\nX-Request-ID: mine-7\r\n", 3)
    assert b"mine-7" not in forged


def test_a_crowd_is_answered_or_told_when_to_come_again(start: Start) -> None:
    server = start(QUEUE_SECONDS="0.05")
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: server.get(FLEET), range(80)))
        alive = server.get("/livez")
    kinds = {answer.status_code for answer in answers}
    refused = [answer for answer in answers if answer.status_code == 503]
    assert kinds == {200, 503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert alive.status_code == 200
    assert f"planner_requests_shed_total {len(refused)}.0" in server.get("/metrics").text
