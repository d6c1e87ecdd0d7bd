"""People who send events without a pause, and remember which ones were acknowledged."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.serve.service import Client


class Stream:
    """Threads with a connection each. What got no answer is sent again with the same id until it gets one."""

    def __init__(self, port: int, key: str, threads: int = 4) -> None:
        self._port = port
        self._key = key
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(threads)]
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[int] = []

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """While the block runs."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join(30)

    def _send(self, number: int) -> None:
        client = Client(self._port, self._key)
        while not self._ended.is_set():
            event = {"id": uuid.uuid4().hex, "type": "click", "user": f"u{number:02}", "item": "i001"}
            self.sent.append(event["id"])
            while not self._tried(client, event) and not self._ended.is_set():
                time.sleep(0.02)
        client.close()

    def _tried(self, client: Client, event: dict[str, str]) -> bool:
        try:
            status = client.post("/v1/events", event).status
        except (OSError, http.client.HTTPException):
            return False
        if status == 200:
            self.acknowledged.append(event["id"])
        else:
            self.refused.append(status)
        return status == 200
