"""Whether all bytes of one HTTP/1.1 request have arrived, told from the bytes alone."""

from __future__ import annotations

import re

END, LINE = b"\r\n\r\n", b"\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
CHUNK = re.compile(rb"([0-9a-f]{1,8})[^\r\n]*\r\n", re.IGNORECASE)
LAST_CHUNK, NOT_A_CHUNK = re.compile(rb"0+[;\r]"), -1


class Arrival:
    """The bytes of one request so far.

    head_bytes  a head beyond this is refused by the parser, which need not wait for its end
    body_bytes  a body beyond this is refused by the application unread
    """

    def __init__(self, head_bytes: int, body_bytes: int) -> None:
        self.bytes = bytearray()
        self._head_bytes, self._body_bytes = head_bytes, body_bytes
        self._walked = 0

    def add(self, chunk: bytes) -> None:
        """Take what a sender sent; empty lines before a request mean nothing (RFC 9112, 2.2)."""
        self.bytes += chunk
        if self.bytes.startswith(LINE):
            self.bytes = self.bytes.lstrip(LINE)

    def waits_for_leave(self) -> bool:
        """Whether the sender holds its body back until `100 Continue`; asked and told once."""
        end = self.bytes.find(END)
        found = EXPECT.search(self.bytes, 0, end + len(LINE)) if end >= 0 else None
        if found is None:
            return False
        del self.bytes[found.start() : found.end()]
        return True

    def is_whole(self) -> bool:
        """Whether the request can be answered, or refused, without waiting for its sender."""
        end = self.bytes.find(END)
        if end < 0:
            return len(self.bytes) > self._head_bytes
        head, start = bytes(self.bytes[: end + len(LINE)]), end + len(END)
        if CHUNKED.search(head):
            return self._chunks_are_whole(start)
        length = LENGTH.search(head)
        if length is None or len(length[1]) > len(str(self._body_bytes)):
            return True
        wanted = int(length[1])
        return wanted > self._body_bytes or len(self.bytes) >= start + wanted

    def _chunks_are_whole(self, start: int) -> bool:
        """Walk on from the last whole chunk to the last chunk's empty line."""
        at = max(start, self._walked)
        if len(self.bytes) - start > self._body_bytes:
            return True
        while not LAST_CHUNK.match(self.bytes, at):
            self._walked, at = at, self._after_chunk(at)
            if at == NOT_A_CHUNK:
                return self._is_broken()
        self._walked = at
        return self.bytes.find(END, at) >= 0

    def _after_chunk(self, at: int) -> int:
        size = CHUNK.match(self.bytes, at)
        if size is None:
            return NOT_A_CHUNK
        after = size.end() + int(size[1], 16) + len(LINE)
        return after if after <= len(self.bytes) else NOT_A_CHUNK

    def _is_broken(self) -> bool:
        """Whether a whole line stands where a chunk's size should be."""
        line = self.bytes.find(LINE, self._walked)
        return line >= 0 and CHUNK.match(self.bytes, self._walked) is None
