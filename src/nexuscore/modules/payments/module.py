"""The manifest: all that payments add to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.invoices import MoneyByHand
from nexuscore.modules.payments import byhand, events, jobs, pages, permissions, platform_pages, stand_in
from nexuscore.modules.payments.checks import CHECKS
from nexuscore.modules.payments.commands import commands
from nexuscore.modules.payments.greeting import PaymentGreeting
from nexuscore.modules.payments.hooks import HANDLERS, STRIPE
from nexuscore.modules.payments.mails import MESSAGES, RECEIPTS
from nexuscore.modules.payments.provider import Provider
from nexuscore.modules.payments.routes import routes
from nexuscore.modules.payments.settings import FAKE, PaymentSettings
from nexuscore.modules.payments.stripe_api import Stripe
from nexuscore.modules.payments.tables import (
    Dispute,
    Finding,
    Payer,
    Payment,
    ReceiptNumber,
    Reconciliation,
    Refund,
    SavedMethod,
    Transition,
)

module = Module(
    name="payments",
    package=__package__,
    needs=("books", "inbox", "invoices", "mail", "orgs"),
    settings=(PaymentSettings,),
    tables=(Transition, SavedMethod, Payment, Refund, Dispute, Payer, ReceiptNumber, Reconciliation, Finding),
    routes=(routes, stand_in.routes),
    pages=(pages.pages, pages.methods_pages, platform_pages.pages),
    events=events.ALL,
    listeners=(
        jobs.stop_paying_what_is_paid,
        jobs.stop_paying_what_is_void,
        jobs.stop_paying_too_much,
        jobs.stop_paying_what_is_credited,
    ),
    workers=(
        jobs.settle,
        jobs.abandon,
        jobs.charge,
        jobs.send_refund,
        jobs.keep_card,
        jobs.forget,
        jobs.compare,
    ),
    schedules=(jobs.look_again, jobs.reconcile_daily),
    permissions=permissions.ALL,
    slots=(Slot(Provider),),
    contributes=(
        MESSAGES,
        RECEIPTS,
        MoneyByHand(byhand.record_for),
        STRIPE,
        *HANDLERS,
        *CHECKS,
        Stripe("stripe"),
        Stripe(FAKE),
        PaymentGreeting(),
        pages.PayInvoice(),
    ),
    commands=commands,
)
