"""In production a process without Redis is alone on its database, and one with Redis is among its like."""

from typing import Any

import pytest
from pydantic import SecretStr

from nexuscore.kernel import presence
from nexuscore.kernel.app import App
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.presence import may_be_several, present
from nexuscore.kernel.testing import Databases

pytestmark = pytest.mark.anyio
REDIS = SecretStr("redis://127.0.0.1:1/0")


def become(app: App, redis: SecretStr | None) -> App:
    app.kernel = app.kernel.model_copy(update={"env": "production", "redis_url": redis})
    return app


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "PATIENCE", 0.5)


async def enter(app: App) -> Any:
    """Be present, until the returned stack is closed."""
    here = present(app)
    await here.__aenter__()
    return here


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (None, None, "this one has no Redis"),
        (None, REDIS, "without Redis, so no second one may"),
        (REDIS, None, "this one has no Redis"),
        (REDIS, REDIS, None),
    ],
)
async def test_who_may_be_beside_whom(
    composed: App, databases: Databases, impatient: None, first: Any, second: Any, said: str | None
) -> None:
    """Seen red with the lock taken in a transaction, which lets it go at once."""
    async with databases.copy(composed) as name:
        await composed.start(databases.server.dsn(name, "nexus_app"))
        try:
            there = await enter(become(composed, first))
            if said is None:
                await (await enter(become(composed, second))).__aexit__(None, None, None)
            else:
                with pytest.raises(ConfigurationError, match=said):
                    await enter(become(composed, second))
            become(composed, first)
            await there.__aexit__(None, None, None)
            await (await enter(become(composed, second))).__aexit__(None, None, None)
        finally:
            await composed.stop()


def test_a_number_of_processes_asks_for_redis(composed: App) -> None:
    may_be_several(composed, 1)
    with pytest.raises(ConfigurationError, match=r"4 processes need Redis\. .*NEXUS_REDIS_URL"):
        may_be_several(composed, 4)
    may_be_several(become(composed, REDIS), 4)
