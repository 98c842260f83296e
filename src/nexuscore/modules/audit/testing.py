"""For tests about the log.

await seal(house)                       # a committed_house: what is not committed cannot be sealed
assert await findings(house) == []
"""

from typing import Any

from nexuscore.kernel.testing import Client, House
from nexuscore.modules.audit import seals
from nexuscore.modules.audit.findings import Finding
from nexuscore.modules.audit.seals import Token
from nexuscore.modules.audit.verify import Verification

__all__ = ["PROBES", "Finding", "findings", "seal"]


async def seal(house: House) -> int:
    """Seal what is committed, as the job of every minute does; how many events there were."""
    count = await seals.seal_all(house.app)
    await seals.remember(house.app)
    return count


async def findings(house: House, against: str | None = None) -> list[Finding]:
    """What `nexus audit verify` finds."""
    run = Verification(house.app, Token.parse(against) if against else None)
    return [finding async for finding in run.findings()]


# --- probes: what tests/isolation needs to call every operation -----------------------------------

Made = tuple[dict[str, Any], Any]
_SEAL = (
    "INSERT INTO audit_seals (number, sealed_at, events, last_xid, last_id, root, previous, hash, signature, entries)"
    " VALUES (1, now(), 0, 0, gen_random_uuid(), '', '', sha256('probe'), '', '') ON CONFLICT DO NOTHING"
)


async def _sealed(house: House, client: Client) -> Made:
    async with house.app.context(across=True) as ctx:
        await ctx.db.raw(_SEAL)
    return {}, None


async def _event(house: House, client: Client) -> Made:
    found = (await client.get("/events?limit=1")).json()["data"]
    return {"event_id": found[0]["id"]}, None


async def _subject(house: House, client: Client) -> Made:
    found = (await client.get("/events?limit=1&type=organisation.created")).json()["data"]
    return {"subject": found[0]["subject"]}, None


async def _new_export(house: House, client: Client) -> Made:
    return {}, {"format": "csv"}


async def _export(house: House, client: Client) -> Made:
    made = await client.post("/events/exports", {})
    assert made.status_code == 202, made.text
    return {"export_id": made.json()["id"]}, None


async def _export_everywhere(house: House, client: Client) -> Made:
    made = await client.post("/events/everywhere/exports", {})
    assert made.status_code == 202, made.text
    return {"export_id": made.json()["id"]}, None


PROBES = {
    "read_newest_seal": _sealed,
    "read_event": _event,
    "fact_page": _event,
    "read_history": _subject,
    "export_events": _new_export,
    "read_event_export": _export,
    "export_events_everywhere": _new_export,
    "read_event_export_everywhere": _export_everywhere,
}
