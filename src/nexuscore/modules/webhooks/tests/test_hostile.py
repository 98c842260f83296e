"""Sixty endpoints that try to make us call inside: none is called, and the one beside them that is public is.

`test_outbound` in the kernel shows that each of them works against a careless client. Seen red with
`Policy.refuses` answering None: the canary was dialled for every name that leads inside.
"""

import asyncio
from uuid import UUID

import pytest

from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.outbound import Outbound, Policy
from nexuscore.kernel.outbound.testing import CONTROL, HOSTILE, PUBLIC, Town
from nexuscore.kernel.testing import ALICE, Client, House
from nexuscore.modules.webhooks.sending import use_client
from nexuscore.modules.webhooks.testing import Receiver
from nexuscore.modules.webhooks.tests.shop import add, listed, pay

pytestmark = pytest.mark.anyio


async def test_no_hostile_target_is_connected_to_and_the_control_is_delivered(house: House, alice: Client) -> None:
    town, canary = Town(), Receiver()
    for url, names in HOSTILE:
        if names:
            town.names.setdefault(url.split("/")[2].rstrip("."), [names])
    server = await asyncio.start_server(canary.talk, "127.0.0.1", 0, ssl=town.certificate)
    town.port = server.sockets[0].getsockname()[1]
    use_client(house.app, Outbound(Policy(), resolve=town.resolve, dial_at=town.dial, tls=town.trust))
    model = UUID((await add(alice, "https://placeholder.example.com/"))["id"])
    async with house.context(ALICE) as ctx:
        for url in [*(url for url, _ in HOSTILE), CONTROL]:
            id = uuid7()  # written past the check of the API
            await ctx.db.raw(
                "INSERT INTO webhook_endpoints (id, url, description, filters, api_version, schedule, secret)"
                " SELECT $1, $2, '', filters, api_version, 'three', $3 FROM webhook_endpoints WHERE id = $4",
                id,
                url,
                house.app.keyring.seal("webhooks.secret", "whsec_AAAA", context=str(id)),
                model,
            )
        await ctx.db.raw("UPDATE webhook_endpoints SET is_deleted = true WHERE id = $1", model)
    await pay(house)
    await house.drain()
    server.close()
    canary.hang_up()
    async with house.context(ALICE) as ctx:
        rows = await ctx.db.raw(
            "SELECT e.url, d.state, d.last_error FROM webhook_deliveries d"
            " JOIN webhook_endpoints e ON e.id = d.endpoint_id"
        )
    delivered = [row.url for row in rows if row.state == "delivered"]
    refused = [row.url for row in rows if row.last_error == "target_refused"]
    assert delivered == [CONTROL]
    assert sorted(refused) == sorted(url for url, _ in HOSTILE)
    assert town.dialled == [PUBLIC]
    assert len(canary.heard) == 1
    assert len(await listed(alice, state="delivered")) == 1
