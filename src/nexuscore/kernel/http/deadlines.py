"""Requests that take too long are stopped. One look around serves them all: a timer for each would cost every request
more than the rest of the edge does.
"""

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any, TypeVar, cast

T = TypeVar("T")
PAUSE = 0.1  # seconds between two looks, while anything runs


class Deadlines:
    """Who runs, and until when it may."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._looking_in: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """What `work` returns; `TimeoutError` when that takes longer than `seconds` and a moment."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._running[task] = monotonic() + seconds
        if self._looking_in is not asyncio.get_running_loop():
            self._look_later()
        try:
            return await work
        except asyncio.CancelledError as cancelled:
            if task in self._overdue and task.cancelling() == 1:
                raise TimeoutError from cancelled
            raise
        finally:
            del self._running[task]
            if task in self._overdue:
                self._overdue.discard(task)
                task.uncancel()

    def _look_later(self) -> None:
        self._looking_in = asyncio.get_running_loop() if self._running else None
        if self._looking_in is not None:
            self._looking_in.call_later(PAUSE, self._look)

    def _look(self) -> None:
        now = monotonic()
        for task, until in self._running.items():
            if until <= now and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        self._look_later()
