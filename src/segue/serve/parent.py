"""A process of the service ends with its parent: nobody would start it again, or stop it."""

from __future__ import annotations

import asyncio
import os
import signal

CHECK_SECONDS = 0.5


async def watch_parent() -> None:
    """Ask this process to end, as a terminal would, once its parent is gone (killed, say)."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
