"""Alive, ready, well: who is told what, and what happens when something is missing."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from examples.notes.module import module as notes
from nexuscore.kernel import clock, health, metrics, migrate, siblings
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.health import Finding, HealthCheck
from nexuscore.kernel.module import Module
from nexuscore.kernel.redis import RedisDown
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import Client, House
from nexuscore.kernel.windows import Sample

pytestmark = pytest.mark.anyio
TOKEN = "a-long-and-random-token-for-monitors-4711"


class StoreCheck(HealthCheck):
    """Something optional that a module depends on."""

    name = "store"
    works = True

    async def look(self, app: App) -> Finding:
        if not StoreCheck.works:
            await asyncio.sleep(60)
        return Finding("up", {"objects": 3})


shelf = Module(name="shelf", package=None, contributes=(StoreCheck(),))


@pytest.fixture(scope="session")
def modules() -> Sequence[Module]:
    return [notes, shelf]


@pytest.fixture
def settings() -> dict[str, str]:
    return {"NEXUS_METRICS_TOKEN": TOKEN}


@pytest.fixture(autouse=True)
def unremembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH", 0.0)
    monkeypatch.setattr(health, "PATIENCE", 1.0)
    monkeypatch.setattr(StoreCheck, "works", True)


def monitor(house: House) -> Client:
    return house.client(TOKEN)


async def test_everybody_is_told_one_word_and_monitors_the_rest(house: House, nobody: Client) -> None:
    told = (await nobody.get("/health")).json()
    assert (told["status"], set(told)) == ("healthy", {"status", "uptime_s"})
    checks = (await monitor(house).get("/health")).json()["checks"]
    assert {name: each["state"] for name, each in checks.items()} == {
        "database": "up", "migrations": "up", "jobs": "up", "memory": "up", "disk": "up", "store": "up",
    }  # fmt: skip
    assert checks["store"]["objects"] == 3
    assert checks["migrations"]["lacking"] == []
    assert checks["jobs"]["dead"] == 0


async def test_administrators_are_told_and_others_are_not(house: House, alice: Client, bob: Client) -> None:
    """Alice holds every permission; Bob is a viewer of an organisation."""
    assert "checks" in (await alice.get("/health")).json()
    assert "checks" not in (await bob.get("/health")).json()
    assert "checks" not in (await house.client("unknown").get("/health")).json()


async def test_what_is_optional_degrades_and_nothing_fails(
    house: House, nobody: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that hangs is down in time, and the others are told all the same."""
    monkeypatch.setattr(StoreCheck, "works", False)
    monkeypatch.setattr(health, "PATIENCE", 0.3)
    answer = await monitor(house).get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["store"]["state"] == "down"
    assert (await nobody.get("/health/ready")).status_code == 200


async def test_a_redis_that_is_gone_degrades(house: House, nobody: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        async def call(self, *command: str) -> None:
            raise RedisDown("connection refused")

        async def stop(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(house.app, "redis", Gone())
    answer = await monitor(house).get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["redis"]["state"] == "down"
    assert (await nobody.get("/health/ready")).status_code == 200


async def test_without_its_database_it_is_alive_and_not_ready(house: House, alice: Client, nobody: Client) -> None:
    await house.app.database.stop()
    assert (await alice.get("/health/live")).json()["status"] == "alive"
    assert ((await nobody.get("/health/ready")).status_code, (await nobody.get("/health")).status_code) == (503, 503)
    checks = (await monitor(house).get("/health")).json()["checks"]
    assert (checks["database"]["state"], checks["memory"]["state"]) == ("down", "up")
    figures = await monitor(house).get("/metrics")
    assert figures.status_code == 200, "figures are wanted most when something is missing"


async def test_live_asks_nobody_who_is_asking(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen red before `unidentified`: a browser's cookie made it wait for the database."""

    async def hangs(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(house.personas, "identify", hangs)
    async with asyncio.timeout(5):
        assert (await house.client("somebody").get("/health/live")).status_code == 200
        assert (await house.client("somebody").get("/health")).status_code == 200


async def test_ready_drops_before_requests_are_refused(house: House, alice: Client, nobody: Client) -> None:
    house.app.stopping.set()
    assert (await nobody.get("/health/ready")).json() == {"status": "stopping"}
    assert (await nobody.get("/health/live")).status_code == 200
    assert (await alice.get("/notes")).status_code == 200


async def test_a_database_that_lacks_a_migration_is_told(house: House) -> None:
    async with house.app.database.transaction() as db:
        applied = [row.version_num for row in await db.raw(f"SELECT version_num FROM {migrate.VERSIONS}")]
    assert migrate.lacking(house.app, applied) == []
    without = [name for name in applied if not name.startswith("notes_")]
    assert [name.rpartition("_")[0] for name in migrate.lacking(house.app, without)] == ["notes"]
    assert migrate.lacking(house.app, [*without, "notes_9999"]) == [], "a newer version has begun"


async def test_many_who_ask_at_once_cost_one_look(
    house: House, nobody: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH", 60.0)
    looks = 0
    look = StoreCheck.look

    async def counted(self: StoreCheck, app: App) -> Finding:
        nonlocal looks
        looks += 1
        return await look(self, app)

    monkeypatch.setattr(StoreCheck, "look", counted)
    await asyncio.gather(*(nobody.get("/health") for _ in range(10)))
    assert looks == 1


# --- figures --------------------------------------------------------------------------------------


async def test_figures_need_the_token_where_there_is_one(house: House, nobody: Client, alice: Client) -> None:
    for who in (nobody, alice, house.client("wrong")):
        assert (await who.get("/metrics")).status_code == 401
    assert (await monitor(house).get("/metrics")).status_code == 200


def test_production_closes_figures_without_a_token(tmp_path: Path) -> None:
    secret = {"NEXUS_METRICS_TOKEN": "changeme", "NEXUS_ENV": "production"}
    with pytest.raises(Exception, match="NEXUS_METRICS_TOKEN: is a placeholder"):
        compose([], settings=load([KernelSettings], environ=secret, env_file=None))


async def test_the_figures_of_all_processes_are_told_by_any(house: House, tmp_path: Path) -> None:
    """Two apps on one data folder stand for two processes; each has a number of its own."""
    other = compose([], settings=house.app.settings)
    async with siblings.joined(other):
        metrics.observe_request("GET", "/siblings", 200, 0.01)
        text = await siblings.figures(house.app)
        shown = {
            sample.labels["process"]
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "nexus_http_requests_total" and sample.labels["route"] == "/siblings"
        }
        assert shown == {"0", "1"}
        assert text == "".join(dict.fromkeys(text.splitlines(keepends=True))), "no sample is there twice"
        for app in (house.app, other):
            app.watch.windows.add(Sample(clock.seconds(), 0.2, failed=True, slow=False, hits=0, misses=0))
            app.watch.windows.add_job(clock.seconds(), failed=app is other)
        hour = await siblings.hour(house.app)
        now = hour[-1]
        assert (len(hour), now.errors, now.jobs, now.jobs_failed) == (12, 2, 2, 1)
        assert now.requests >= 2
        assert now.seconds >= 0.4
    assert (await siblings.hour(house.app))[-1].errors == 1
    assert 'process="1"' not in await siblings.figures(house.app), "who has gone is forgotten"
    async with siblings.joined(compose([], settings=house.app.settings)):
        assert 'process="1"' in await siblings.figures(house.app), "its number is free again"


async def test_a_process_that_was_killed_is_no_hindrance(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its socket is still there and nobody answers; one that answers too slowly is left out as well."""
    monkeypatch.setattr(siblings, "PATIENCE", 0.2)
    folder = house.app.kernel.data / "processes"
    dead = await asyncio.start_unix_server(lambda *_: None, str(folder / "7.sock"))
    dead.close()
    (folder / "8.sock").touch()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the one who asks has had enough
        writer.close()
        await writer.wait_closed()
        left.set()

    left = asyncio.Event()
    slow = await asyncio.start_unix_server(waits, str(folder / "9.sock"))
    text = await siblings.figures(house.app)
    await left.wait()
    slow.close()
    assert 'process="0"' in text
    assert 'process="9"' not in text
