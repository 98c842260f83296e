"""What tests/isolation needs to call the console's own pages."""

from typing import Any

from nexuscore.kernel.testing import Client, House


async def _parked(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    """A job that was given up."""
    async with house.app.context() as ctx:
        (row,) = await ctx.db.raw(
            "INSERT INTO pgqueuer (priority, created, updated, heartbeat, execute_after, status, entrypoint, payload)"
            " VALUES (0, now(), now(), now(), now(), 'failed', 'kernel.tick', '{}') RETURNING id"
        )
    return {"job_id": row.id}, None


PROBES = {"retry_job_page": _parked, "drop_job_page": _parked}
