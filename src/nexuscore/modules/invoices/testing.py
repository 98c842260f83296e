"""For the tests of modules that invoice.

@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER}                    # a supplier that is registered for GST

acme = await customer(house)                        # an organisation that is charged GST
async with acme.acting() as ctx:
    invoice = await invoices.issue(ctx, [NewLine(description="A month", unit_price=10_000)])
assert invoice.total == 10_900

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter, ValidationError

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.invoices import credit_notes, drafts, payments, states
from nexuscore.modules.invoices.lines import NewLine
from nexuscore.modules.orgs import Uen
from nexuscore.modules.orgs.testing import Org, found

SUPPLIER = {
    "NEXUS_INVOICES_SUPPLIER_NAME": "NexusCore Pte. Ltd.",
    "NEXUS_INVOICES_SUPPLIER_UEN": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_GST_NUMBER": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_ADDRESS": "1 Raffles Place; #20-61 One Raffles Place; Singapore 048616; Singapore",
    "NEXUS_INVOICES_SUPPLIER_EMAIL": "billing@nexuscore.example",
}
_UEN: TypeAdapter[str] = TypeAdapter(Uen)
REGISTERED = {
    "gst_registered": True,
    "gst_number": "M90312345A",
    "address": {"line1": "10 Anson Road", "line2": "#26-04 International Plaza", "postal_code": "079903"},
}


@dataclass(slots=True)
class Customer:
    """An organisation that is invoiced, and its owner."""

    org: Org
    owner: Person
    house: House

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[Ctx]:
        """The platform, acting in the organisation's scope."""
        async with self.house.app.context(org=self.org.id) as ctx:
            yield ctx


async def customer(house: House, name: str = "Acme Pte. Ltd.", **fields: Any) -> Customer:
    """An organisation registered for GST; `fields` say otherwise."""
    owner = await person(house, f"{uuid4().hex}@example.com")
    return Customer(await found(house, owner, name, **{**REGISTERED, **fields}), owner, house)


# --- probes -----------------------------------------------------------------------------------------

Made = tuple[dict[str, Any], Any]
Probe = Callable[[House, Client], Awaitable[Made]]
MONTH = {"description": "A month", "unit_price": 10_000}


async def _own_org(client: Client) -> UUID:
    return UUID((await client.get("/organisations")).json()["data"][0]["id"])


async def invoice_in(house: House, org_id: UUID, state: str = "open") -> UUID:
    """An organisation's invoice in a state: draft, open or paid."""
    async with house.app.context(org=org_id) as ctx:
        invoice = await drafts.draft(ctx, [NewLine.model_validate(MONTH)])
        if state != "draft":
            invoice = await states.finalise(ctx, invoice.id)
        if state == "paid":
            await payments.record_payment(
                ctx, invoice.id, invoice.total, "SGD", reference=uuid4().hex, method="bank_transfer"
            )
    return invoice.id


async def credit_note_in(house: House, org_id: UUID) -> tuple[UUID, UUID]:
    """An organisation's invoice, and a credit note of it."""
    invoice_id = await invoice_in(house, org_id)
    async with house.app.context(org=org_id) as ctx:
        note = await credit_notes.credit(ctx, invoice_id, reason="Probe", amount=100)
    return invoice_id, note.id


async def _own(house: House, client: Client) -> Made:
    return {"invoice_id": str(await invoice_in(house, await _own_org(client)))}, None


async def _own_note(house: House, client: Client) -> Made:
    invoice_id, note_id = await credit_note_in(house, await _own_org(client))
    return {"invoice_id": str(invoice_id), "credit_note_id": str(note_id)}, None


def _known(probe: Probe) -> Probe:
    """With what Peppol asks of the customer, who is known by a UEN and an address."""

    async def known(house: House, client: Client) -> Made:
        change = {"uen": some_uen(), "address": REGISTERED["address"]}
        answer = await client.patch(f"/organisations/{await _own_org(client)}", change)
        assert answer.status_code == 200, answer.text
        return await probe(house, client)

    return known


def some_uen() -> str:
    """A UEN nobody else has."""
    number = f"{uuid4().int % 10**8:08d}"
    for letter in "ABCDEJKLMWX":
        with suppress(ValidationError):
            return _UEN.validate_python(number + letter)
    raise AssertionError(f"{number} takes no letter")


def _any(state: str, body: Any = None) -> Probe:
    async def probe(house: House, client: Client) -> Made:
        acme = await customer(house)
        return {"invoice_id": str(await invoice_in(house, acme.org.id, state))}, body

    return probe


async def _new(house: House, client: Client) -> Made:
    return {}, {"org_id": str((await customer(house)).org.id), "lines": [MONTH]}


async def _quarter(house: House, client: Client) -> Made:
    return {"year": 2026, "quarter": 4}, None


async def _new_page(house: House, client: Client) -> Made:
    typed = {"lines": [{"description": "A month", "quantity": "1", "unit_price": "100.00"}]}
    return {"org_id": str((await customer(house)).org.id)}, typed


async def _new_row(house: House, client: Client) -> Made:
    return {"org_id": str((await customer(house)).org.id)}, None


def _note(probe_uen: bool = False) -> Probe:
    async def probe(house: House, client: Client) -> Made:
        acme = await customer(house, uen=some_uen()) if probe_uen else await customer(house)
        return {"credit_note_id": str((await credit_note_in(house, acme.org.id))[1])}, None

    return probe


async def _exportable(house: House, client: Client) -> Made:
    acme = await customer(house, uen=some_uen())
    return {"invoice_id": str(await invoice_in(house, acme.org.id))}, None


PROBES: dict[str, Probe] = {
    "read_invoice": _own,
    "read_invoice_pdf": _own,
    "read_credit_note_pdf": _own_note,
    "export_invoice": _known(_own),
    "export_credit_note": _known(_own_note),
    "read_gst_return": _quarter,
    "download_gst_return": _quarter,
    "draft_invoice": _new,
    "read_any_invoice": _any("open"),
    "change_invoice": _any("draft", {"lines": [MONTH]}),
    "finalise_invoice": _any("draft"),
    "send_invoice": _any("open"),
    "void_invoice": _any("open", {"reason": "Probe"}),
    "give_up_invoice": _any("open", {"reason": "Probe"}),
    "issue_credit_note": _any("open", {"reason": "Probe", "amount": 100}),
    "our_invoice_page": _own,
    "our_invoice_pdf_page": _own,
    "our_credit_note_pdf_page": _own_note,
    "our_invoice_peppol_page": _known(_own),
    "create_invoice_page": _new_page,
    "new_invoice_line_page": _new_row,
    "invoice_page": _any("open"),
    "edit_invoice_page": _any("draft"),
    "change_invoice_page": _any("draft", {"lines": [{"description": "A month", "unit_price": "90"}]}),
    "invoice_line_page": _any("draft"),
    "finalise_invoice_page": _any("draft"),
    "send_invoice_page": _any("open"),
    "void_invoice_page": _any("open", {"reason": "Probe"}),
    "give_up_invoice_page": _any("open", {"reason": "Probe"}),
    "pay_invoice_page": _any("open", {"amount": "5.00", "method": "cash", "reference": "probe"}),
    "invoice_pdf_page": _any("open"),
    "invoice_peppol_page": _exportable,
    "new_credit_note_page": _any("open"),
    "issue_credit_note_page": _any("open", {"reason": "Probe", "amount": "1.00"}),
    "credit_note_page": _note(),
    "credit_note_pdf_page": _note(),
    "credit_note_peppol_page": _note(probe_uen=True),
}
