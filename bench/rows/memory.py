"""What it takes while nobody asks: proportional set size, so that shared pages are counted once."""

import asyncio

import psutil

from bench.figures import Figure, Target
from bench.row import Row, Run
from bench.stage import SERVE, family, folder, free_port, running, say, wait_for

SETTLE = 3.0  # seconds until the start is over
MEGABYTE = 1_000_000


async def _idle(run: Run) -> list[Figure]:
    if not psutil.LINUX:
        say("skipped: idle memory (only Linux tells the proportional set size)")
        return []
    with folder() as data:
        port = free_port()
        with running([*SERVE, "--data", str(data), "--port", str(port)], {}) as process:
            wait_for(process, port, "/health/ready")
            await asyncio.sleep(SETTLE)
            server, *below = family(process)
            ours, database = _pss(server), sum(map(_pss, below))
    return [
        Figure("`nexus serve` with workers", "MB", (ours,)),
        Figure("its PostgreSQL", "MB", (database,)),
        Figure("together", "MB", (ours + database,), Target(200)),
    ]


def _pss(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / MEGABYTE


ROWS = [Row("memory", "Memory when idle", _idle)]
