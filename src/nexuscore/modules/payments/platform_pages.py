"""The platform's side: everybody's payments, money sent back, what differs from the provider."""

from datetime import timedelta
from typing import Annotated

from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, Schema, View, Went, amount_of
from nexuscore.modules import invoices, orgs
from nexuscore.modules.payments import findings, reconcile, refunds, store
from nexuscore.modules.payments.routes import (
    CanReconcile,
    CanRefund,
    CanSettle,
    FindingQuery,
    begin_reconciliation,
)
from nexuscore.modules.payments.schemas import Line, NewRefund, Period, Settlement

HOME = "/console/billing/platform"
pages = Pages("/billing/platform", tag="Payments")


class RefundForm(Schema):
    """Money to send back, as it is typed; nothing is all that is left."""

    amount: str | None = None
    reason: Line
    reference: Line | None = None


@pages.get("/payments", title="All payments", nav=Nav("Platform", icon="card", order=30), listing=store.EVERYWHERE)
async def every_payment_page(ctx: CanReconcile, query: Annotated[PageQuery, Query()]) -> View:
    """Everybody's payments, newest first."""
    return View("everybody.html", payments=await store.everywhere(ctx, query))


@pages.get("/payments/{payment_id}", title="Refund")
async def refund_page(ctx: CanRefund) -> View:
    """A payment, what is left of it, and the form that sends it back."""
    async with ctx.in_org(ctx.row.org_id) as there:
        return View(
            "refund.html",
            payment=ctx.row,
            organisation=await orgs.organisation(there, ctx.row.org_id),
            invoice=await invoices.get(there, ctx.row.invoice_id),
            left=await refunds.left(there, ctx.row),
            refundable=ctx.row.state in refunds.REFUNDABLE,
            refunds=await store.refunds_of(there, ctx.row.id),
            disputes=await store.disputes_of(there, ctx.row.id),
        )


@pages.post("/payments/{payment_id}", once=True)
async def send_refund_page(ctx: CanRefund, given: RefundForm) -> Went:
    """Send money back, all that is left or a part."""
    row = ctx.row
    amount = None if given.amount is None else amount_of(given.amount, row.currency).minor
    new = NewRefund.model_validate({"amount": amount, "reason": given.reason, "reference": given.reference})
    await refunds.request(ctx, row, new)
    return Went(f"{HOME}/payments/{row.id}", say="The money is on its way back.", kind="warning")


# --- what differs from the provider -----------------------------------------------------------------


@pages.get("/findings", title="Reconciliation", nav=Nav("Platform", icon="alert", order=31))
async def findings_page(ctx: CanReconcile, query: Annotated[FindingQuery, Query()]) -> View:
    """What a person must look at, and the comparisons so far."""
    return View(
        "findings.html",
        findings=await findings.page(ctx, query, settled=query.settled),
        comparisons=await reconcile.page(ctx, PageQuery(limit=10)),
        until=ctx.now.date(),
        since=ctx.now.date() - timedelta(days=7),
    )


@pages.post("/findings", shows=findings_page, once=True)
async def compare_page(ctx: CanReconcile, period: Period) -> Went:
    """Compare a period with the provider."""
    await begin_reconciliation(ctx, period)
    return Went(f"{HOME}/findings", say="The comparison runs in the background.")


@pages.get("/findings/{finding_id}", title="Finding")
async def finding_page(ctx: CanSettle) -> View:
    """One finding: as we have it, and as the provider does."""
    return View("finding.html", finding=ctx.row)


@pages.post("/findings/{finding_id}", once=True)
async def settle_finding_page(ctx: CanSettle, settlement: Settlement) -> Went:
    """Say what was done about it."""
    await findings.settle(ctx, ctx.row, settlement.note)
    return Went(f"{HOME}/findings", say="The finding is settled.")
