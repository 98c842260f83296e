"""For tests about the log.

await seal(house)                       # a committed_house: what is not committed cannot be sealed
assert await findings(house) == []
"""

from nexuscore.kernel.testing import House
from nexuscore.modules.audit import seals
from nexuscore.modules.audit.findings import Finding
from nexuscore.modules.audit.seals import Token
from nexuscore.modules.audit.verify import Verification

__all__ = ["Finding", "findings", "seal"]


async def seal(house: House) -> int:
    """Seal what is committed, as the job of every minute does; how many events there were."""
    count = await seals.seal_all(house.app)
    await seals.remember(house.app)
    return count


async def findings(house: House, against: str | None = None) -> list[Finding]:
    """What `nexus audit verify` finds."""
    run = Verification(house.app, Token.parse(against) if against else None)
    return [finding async for finding in run.findings()]
