"""`nexus audit`, as somebody types it."""

import asyncio
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import NotFoundError, ValidationError
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import ALICE, CHARLIE, House
from nexuscore.modules.audit import search
from nexuscore.modules.audit.commands import commands
from nexuscore.modules.audit.module import module
from nexuscore.modules.audit.settings import AuditSettings
from nexuscore.modules.audit.testing import seal
from nexuscore.modules.audit.tests.owner import as_owner
from nexuscore.modules.audit.tests.shop import InvoicePaid, PageSeen, module as shop

pytestmark = pytest.mark.anyio


def beside(house: House) -> App:
    """The same app once more, as a command of its own process would load it."""
    environ = {
        "NEXUS_ENV": "test",
        "NEXUS_DATA": str(house.app.kernel.data),
        "DATABASE_URL": house.dsn,
        "DATABASE_OWNER_URL": house.owner_dsn,
    }
    return compose([module, shop], settings=load([KernelSettings, AuditSettings], environ=environ, env_file=None))


@dataclass(frozen=True)
class Printed:
    """What a command printed, less the log, which goes elsewhere when `nexus` runs it."""

    exit_code: int
    output: str


async def nexus_audit(house: House, *words: str) -> Printed:
    result = await asyncio.to_thread(CliRunner().invoke, commands, words, obj=beside(house))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    lines = result.output.splitlines(keepends=True)
    return Printed(result.exit_code, "".join(line for line in lines if " across_orgs " not in line))


async def test_verify_tells_a_clean_log_from_one_that_was_touched(committed_house: House) -> None:
    house = committed_house
    empty = await nexus_audit(house, "verify")
    assert (empty.exit_code, "Seals: 0." in empty.output) == (0, True)
    with pytest.raises(NotFoundError):
        await nexus_audit(house, "seal")
    for who in (ALICE, CHARLIE):
        async with house.context(who) as ctx:
            ctx.emit(InvoicePaid(invoice="i-1", cents=1))
    await seal(house)
    async with house.context(ALICE) as ctx:
        ctx.emit(PageSeen(page="x"))
    token = (await nexus_audit(house, "seal")).output.strip()
    clean = await nexus_audit(house, "verify", "--against", token)
    assert clean.exit_code == 0, clean.output
    assert "2 events in the database and 0 in the archive are as they were sealed. Seals: 1." in clean.output
    assert "1 are not sealed yet, the oldest of 20" in clean.output
    assert f"Newest seal, to keep elsewhere: {token}" in clean.output
    assert "Nothing was changed, removed or inserted." in clean.output
    (row,) = await as_owner(house, "SELECT id FROM events ORDER BY xid LIMIT 1")
    await as_owner(house, "UPDATE events SET data = '{}' WHERE id = $1", row["id"])
    touched = await nexus_audit(house, "verify")
    assert touched.exit_code == 1
    assert touched.output.startswith(f"changed    invoice.paid {row['id']} of 20")
    assert "Findings: 1" in touched.output
    other = "1-" + "0" * 64
    assert (
        "is another one than its copy kept elsewhere" in (await nexus_audit(house, "verify", "--against", other)).output
    )
    with pytest.raises(ValidationError):
        await nexus_audit(house, "verify", "--against", "nonsense")


async def test_many_findings_are_counted_and_not_all_printed(committed_house: House) -> None:
    house = committed_house
    async with house.context(ALICE) as ctx:
        for number in range(130):
            ctx.emit(PageSeen(page=str(number)))
    await seal(house)
    await as_owner(house, "DELETE FROM events")
    found = await nexus_audit(house, "verify")
    assert found.output.count("removed  ") == 100
    assert "and 30 more" in found.output
    assert "Findings: 130" in found.output


async def test_search_looks_everywhere_and_is_noted(committed_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house = committed_house
    for who in (ALICE, CHARLIE):
        async with house.context(who) as ctx:
            ctx.emit(InvoicePaid(invoice=f"of {who.name}", cents=1))
            ctx.emit(PageSeen(page="x"))
    listed = (await nexus_audit(house, "search", "invoice.*")).output.splitlines()
    assert [line.split("  ")[1] for line in listed] == ["invoice.paid", "invoice.paid"]
    assert "of charlie" in listed[0]
    assert str(ALICE.id) in listed[1]
    monkeypatch.setattr(search, "STRETCH", 1)
    search._statement.cache_clear()
    assert (await nexus_audit(house, "search", "invoice.*", "--limit", "2")).output.splitlines() == listed
    search._statement.cache_clear()
    assert (await nexus_audit(house, "search", "invoice.*", "--since", "2200-01-01")).output == ""
    noted = await as_owner(house, "SELECT DISTINCT actor_kind FROM events WHERE type = 'audit.searched_everywhere'")
    assert [row["actor_kind"] for row in noted] == ["system"]


async def test_retention_lists_every_type(committed_house: House) -> None:
    lines = dict(
        line.rsplit(maxsplit=2)[:2] for line in (await nexus_audit(committed_house, "retention")).output.splitlines()
    )
    assert lines["invoice.paid"] == "2,555"
    assert lines["page.seen"] == "30"
    assert lines["access.denied"] == "2,555"
