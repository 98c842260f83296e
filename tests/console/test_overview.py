"""The first page: real figures, those of the organisation to its people, those of the platform to who runs it.

Seen red: with the look at `permission` taken out of `overview.figures` the owner saw the platform's.
"""

import re
from uuid import uuid4

import pytest

from nexuscore.console import formats
from nexuscore.kernel.money import Money
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.identity.testing import QUICK, person
from nexuscore.modules.invoices import NewLine
from nexuscore.modules.invoices.testing import SUPPLIER, customer
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER}


def figures(browser: Browser) -> dict[str, str]:
    """What the page shows: names and their values."""
    pairs = re.findall(r'<h2>(?:<a href="[^"]*">)?([^<]+)(?:</a>)?</h2>\s*<p class="value">([^<]*)</p>', browser.html)
    return dict(pairs)


async def test_everybody_sees_the_figures_of_what_is_theirs(door: House) -> None:
    acme = await customer(door)
    anna = acme.owner
    async with acme.acting() as ctx:
        made = await invoices.issue(ctx, [NewLine(description="A year", unit_price=1_234_500)])
        await invoices.record_payment(ctx, made.id, made.total // 2, "SGD", method="cash", reference=uuid4().hex)
    hers = await (await signed_in(door, anna)).open("/console")
    assert figures(hers)["To pay"] == money(made.total - made.total // 2)
    assert {"What happened"} <= figures(hers).keys()
    assert not {"Requests", "Sign-ins", "Money received", "Jobs due"} & figures(hers).keys()
    assert "The platform" not in hers.text
    root = await (await signed_in(door, await person(door, "root@example.com", platform_role="admin"))).open("/console")
    shown = figures(root)
    assert shown["Money received"] == money(made.total // 2)
    assert shown["Owed to you"] == money(made.total - made.total // 2)
    assert int(shown["Requests"]) > 0
    assert (shown["Failed requests"], shown["Sign-ins"], shown["Jobs given up"]) == ("0", "4", "0")
    assert "To pay" not in shown, "the platform's people have nothing to pay"
    root.http.cookies.set("nexus_language", "pl")
    assert re.search(r"6[\s\u00a0]7\d\d,\d\d", figures(await root.open("/console"))["Otrzymane pieniądze"])


def money(minor: int) -> str:
    """As the page writes it in English."""
    return formats.money(Money(minor, "SGD"), "en")


async def test_a_figure_leads_only_where_there_is_a_page(door: House) -> None:
    root = await signed_in(door, await person(door, "root@example.com", platform_role="admin"))
    await root.open("/console")
    for link in set(re.findall(r'<h2><a href="([^"]*)">', root.html)):
        assert (await root.http.get(link)).status_code == 200, link
