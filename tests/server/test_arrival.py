"""When a request is whole (RFC 9112 sections 2 and 6)."""

import pytest

from service.server.arrival import Arrival

HEAD = b"POST /v1/plans HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("arrived", "expected"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (HEAD + b"Content-Length: 4\r\n\r\n{} ", False),
        (HEAD + b"content-length:4\r\n\r\n{}  ", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\nA: b\r\n", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot a size\r\n", True),
        (b"\r\n\r\nGET / HTTP/1.1\r\n", False),
        (HEAD + b"Content-Length: 999\r\n\r\n", True),
        (b"x" * 200, True),
    ],
)
def test_a_request_is_whole_when_its_reader_need_not_wait(arrived: bytes, expected: bool) -> None:
    at_once, bit_by_bit = Arrival(150, 100), Arrival(150, 100)
    at_once.add(arrived)
    for byte in arrived:
        bit_by_bit.add(bytes([byte]))
        said = bit_by_bit.is_whole()
    assert at_once.is_whole() is expected
    assert arrived == b"" or said is expected


def test_a_sender_that_waits_gets_leave_once() -> None:
    arrival = Arrival(150, 100)
    arrival.add(HEAD + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert [arrival.waits_for_leave(), arrival.waits_for_leave()] == [True, False]
    assert arrival.bytes == HEAD + b"Content-Length: 4\r\n\r\n"
    assert not arrival.is_whole()
