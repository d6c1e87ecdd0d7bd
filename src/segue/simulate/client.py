"""A patient HTTP client of the service: one kept-alive connection, JSON both ways, every status counted."""

from __future__ import annotations

import http.client
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import msgspec

TIMEOUT_S = 20.0
TRIES = 3
LOST = 0  # counted as the status of a request that got no answer


class Client:
    """One person's browser, as it were. `statuses` counts answers by HTTP status, `LOST` where there was none.

    A request that got no answer or a 5xx is sent again, at most `TRIES` times in all: request and event ids make that
    harmless.
    """

    def __init__(self, url: str, key: str | None) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=TIMEOUT_S)
        self._prefix = address.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.statuses: Counter[int] = Counter()

    def post(self, path: str, body: Any) -> Any | None:
        """The decoded answer, or None where the service refused or could not be reached."""
        content = msgspec.json.encode(body)
        for _ in range(TRIES):
            status, answer = self._send(path, content)
            self.statuses[status] += 1
            if 200 <= status < 300:
                return _decoded(answer)
            if 400 <= status < 500:
                return None
        return None

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _send(self, path: str, content: bytes) -> tuple[int, bytes]:
        try:
            self._connection.request("POST", self._prefix + path, content, self._headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return LOST, b""


def _decoded(answer: bytes) -> Any | None:
    try:
        return msgspec.json.decode(answer) if answer else {}
    except msgspec.DecodeError:
        return None
