"""The shipped configuration of gunicorn, as it runs."""

import json
from typing import Any

from tests.server.conftest import Server, Start

TRACE = "0af7651916cd43dd8448eb211c80319c"
STALLED = {
    "half a head": b"GET /livez HTTP/1.1\r\nHost: a\r\n",
    "half a body": b"POST /v1/plans HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n{",
    "half a chunk": b"POST /v1/plans HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
    "silence": b"",
}


def lines(server: Server) -> list[dict[str, Any]]:
    text = server.log.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_stalled_senders_hold_up_nobody(start: Start) -> None:
    server = start()
    stalled = [server.connect(sent) for sent in STALLED.values() for _ in range(50)]
    answers = [server.get("/v1/gpus/h100-sxm5-80gb").status_code for _ in range(20)]
    for connection in stalled:
        connection.close()
    assert answers == [200] * 20


def test_a_request_that_comes_in_pieces_is_answered(start: Start) -> None:
    server = start()
    head, body = (
        b"POST /v1/footprints HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n",
        b"{}",
    )
    with server.connect(head[:20]) as caller:
        for piece in (head[20:], b"Content-Length: 2\r\n\r\n", body[:1], body[1:]):
            caller.sendall(piece)
        assert caller.recv(65536).startswith(b"HTTP/1.1 422 ")
        caller.sendall(
            b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        answered = b""
        while answered.count(b"200 OK") < 2:
            answered += caller.recv(65536)


def test_every_answer_is_one_line_with_its_ids_and_without_its_query(start: Start) -> None:
    server = start()
    headers = {"X-Request-Id": "mine-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = server.get("/v1/gpus?q=secret", headers=headers)
    server.stop()
    line = next(line for line in lines(server) if line["request_id"] == "mine-1")
    assert answer.headers["X-Request-Id"] == "mine-1"
    assert (line["status"], line["path"], line["trace_id"]) == (200, "/v1/gpus", TRACE)
    assert "secret" not in server.log.read_text(encoding="utf-8")


def test_a_large_body_that_waits_for_leave_is_answered(start: Start) -> None:
    server = start()
    head = b"POST /v1/plans HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with server.connect(head + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n") as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 100 ")
        caller.sendall(b"{}")
        assert caller.recv(65536).startswith(b"HTTP/1.1 422 ")


def test_a_stop_ends_well_while_senders_stall(start: Start) -> None:
    server = start()
    with server.connect(STALLED["half a body"]):
        assert server.stop() == 0
