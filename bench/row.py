"""What a row is: a name to ask for it by, and a function that measures."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.figures import Figure
from bench.peers import PEERS
from bench.stage import Stage, installed, stage


@dataclass(slots=True)
class Run:
    """One run of `make bench`: how long to measure, and the stage, which is set when the first row asks for it."""

    rounds: int
    seconds: float
    warm_up: float
    closing: AsyncExitStack
    _stage: Stage | None = None

    async def stage(self) -> Stage:
        """The database and all servers on it, the same for every row."""
        if self._stage is None:
            self._stage = await self.closing.enter_async_context(stage(installed(PEERS)))
        return self._stage


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement. Rows with the same `title` share a table."""

    name: str
    title: str
    measure: Callable[[Run], Awaitable[list[Figure]]]
