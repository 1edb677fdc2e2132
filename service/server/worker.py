"""A thread worker that hands a request to a thread only when all of it has arrived.

gunicorn's own thread worker reads head and body in the thread, so that a few stalled senders hold
every thread. Here the poller collects the bytes, as a buffering proxy does, and a stalled sender
costs a socket until its time is over.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from service.api.body import MAX_HEADER_BODY_BYTES
from service.api.metrics import count_refusal
from service.server.admission import Admission
from service.server.arrival import Arrival
from service.server.refusal import busy

CHUNK_BYTES = 262_144
MOST_HEAD_BYTES = 600_000  # above gunicorn's own bound: fields x size of a field
MOST_HELD_BYTES = 256_000_000
STALL_SECONDS = 10
QUEUE_SECONDS = float(os.environ.get("QUEUE_SECONDS", "5"))
PROBES = (b"GET /livez", b"GET /readyz", b"GET /metrics")
LEAVE = b"HTTP/1.1 100 Continue\r\n\r\n"
NOTHING_TO_ACCEPT = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}


class Arriving(TConn):  # type: ignore[misc]  # gunicorn ships no types
    """A connection and what arrived of its next request."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.arrival = new_arrival()
        self.data_ready = True

    def take_read_ahead(self) -> None:
        """What the parser read beyond the last request belongs to the next."""
        if self.parser is not None:
            self.arrival.add(self.parser.unreader.take_buffered())

    def collect(self, chunk: bytes) -> None:
        """Take what a sender sent, and give it leave to send its body."""
        self.arrival.add(chunk)
        if self.arrival.waits_for_leave():
            self.sock.send(LEAVE)

    def hand_over(self) -> None:
        """Give the bytes to the parser, as though it had read them."""
        self.init()
        self.parser.unreader.unread(bytes(self.arrival.bytes))
        self.arrival = new_arrival()


def new_arrival() -> Arrival:
    """Nothing of a request yet."""
    return Arrival(MOST_HEAD_BYTES, MAX_HEADER_BODY_BYTES)


def bound_stalls(sock: socket.socket) -> None:
    """Let no thread hang in one read or write: the kernel gives up after STALL_SECONDS."""
    span = struct.pack("@ll", STALL_SECONDS, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, span)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, span)


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's thread worker behind a buffer of whole requests."""

    def init_process(self) -> None:
        self.admission = Admission(self.cfg.threads, QUEUE_SECONDS)
        self.probes = ThreadPoolExecutor(1, "probe")
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in NOTHING_TO_ACCEPT:
                return
            raise
        self.nr_conns += 1
        bound_stalls(sock)
        self.enqueue_req(Arriving(self.cfg, sock, client, listener.getsockname()))

    def enqueue_req(self, conn: Arriving) -> None:
        """Start a thread on a whole request; collect the rest of any other."""
        conn.take_read_ahead()
        if conn.arrival.is_whole():
            self.let_in(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.timeout
        self.pending_conns.append(conn)
        collect = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, collect)

    def let_in(self, conn: Arriving) -> None:
        """Queue a whole request for a thread.

        Probes have a thread of their own, so that a busy service is not taken for a dead one.
        """
        if conn.arrival.bytes.startswith(PROBES):
            started = self.probes.submit(self.handle, conn)
        else:
            seconds = self.admission.retry_seconds(time.monotonic())
            if seconds is not None:
                self.refuse(conn, seconds)
                return
            self.admission.enter(time.monotonic())
            started = self.tpool.submit(self.queued, conn)
        started.add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def refuse(self, conn: Arriving, seconds: int) -> None:
        """Tell a caller to come again, from the poller: the answer fits any socket's buffer."""
        count_refusal()
        with suppress(OSError):
            conn.sock.send(busy(conn.arrival.bytes, seconds))
        self.nr_conns -= 1
        conn.close()

    def queued(self, conn: Arriving) -> Any:
        """Answer a request from the queue, and learn from it how fast the queue moves."""
        self.admission.begin()
        began = time.monotonic()
        try:
            return self.handle(conn)
        finally:
            self.admission.finish(time.monotonic() - began)

    def on_pending_socket_readable(self, conn: Arriving, client: socket.socket) -> None:
        """Collect what a sender sent."""
        try:
            chunk = client.recv(CHUNK_BYTES)
            conn.collect(chunk)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk or self.holds_too_much(conn):
            self.drop(conn)
        elif conn.arrival.is_whole():
            super().on_pending_socket_readable(conn, client)

    def holds_too_much(self, conn: Arriving) -> bool:
        """Whether large requests that are still arriving fill the worker's memory."""
        if len(conn.arrival.bytes) <= CHUNK_BYTES:
            return False
        return sum(len(other.arrival.bytes) for other in self.pending_conns) > MOST_HELD_BYTES

    def drop(self, conn: Arriving) -> None:
        """Close a connection whose request will not be whole."""
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        self.nr_conns -= 1
        conn.close()

    def handle(self, conn: Arriving) -> Any:
        """Answer a whole request, in a thread."""
        conn.sock.setblocking(True)
        conn.hand_over()
        return super().handle(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that stops takes those who knocked already and shuts its door.

        Left open, the door would take callers whom nobody answers: a refused caller can ask another
        replica at once, a reset one does not know whether it was heard.
        """
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            known = -1
            while known != self.nr_conns:
                known = self.nr_conns
                self.accept(listener)
            listener.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits for half-sent requests as briefly as for silent callers."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
