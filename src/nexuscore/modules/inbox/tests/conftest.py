"""The module under test, beside a shop that handles what comes in."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.module import Module
from nexuscore.modules.inbox import Handler, Provider, Received, hmac_signed
from nexuscore.modules.inbox.module import module
from nexuscore.modules.inbox.testing import public_key
from nexuscore.modules.inbox.tests.shop import SECRETS, SENDGRID_KEY, Counted, count, fail_as_told


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [shop, module]


@pytest.fixture
def settings() -> dict[str, str]:
    named = {"stripe": "STRIPE", "standard": "STANDARD", "github": "GITHUB", "telegram": "TELEGRAM"}
    found = {f"NEXUS_INBOX_{name}_SECRETS": ",".join(SECRETS[each]) for each, name in named.items()}
    old = ec.generate_private_key(ec.SECP256R1())
    return {
        **found,
        "NEXUS_INBOX_GENERIC_SECRETS": ",".join(SECRETS["generic"]),
        "NEXUS_INBOX_SENDGRID_KEYS": f"{public_key(old)},{public_key(SENDGRID_KEY)}",
    }


async def count_all(ctx: Ctx, received: Received) -> None:
    await count(ctx, received)


def no_secrets(app: Any) -> list[str]:
    return [""]


shop = Module(
    name="shop",
    package=None,
    needs=("inbox",),
    events=(Counted,),
    contributes=(
        Handler("stripe", "invoice.*", count),
        Handler("stripe", "charge.failed", fail_as_told),
        Handler("stripe", "charge.failed", count_all),
        Provider("acme", hmac_signed("x-acme", id="nr", type="what"), lambda app: ["acme-secret"]),
        Provider("unset", hmac_signed("x-unset"), no_secrets),
        Handler("acme", "*", count),
    ),
)
