"""The app as it ships: `app = compose(DEFAULT_MODULES)`."""

from nexuscore.console.module import module as console
from nexuscore.kernel.app import compose
from nexuscore.kernel.module import Module
from nexuscore.modules.audit.module import module as audit
from nexuscore.modules.books.module import module as books
from nexuscore.modules.fees.module import module as fees
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.inbox.module import module as inbox
from nexuscore.modules.invoices.module import module as invoices
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from nexuscore.modules.payments.module import module as payments
from nexuscore.modules.plans.module import module as plans
from nexuscore.modules.quotes.module import module as quotes
from nexuscore.modules.usage.module import module as usage
from nexuscore.modules.webhooks.module import module as webhooks

DEFAULT_MODULES: tuple[Module, ...] = (
    *(mail, identity, orgs, audit, webhooks, inbox),
    *(books, invoices, quotes, fees, usage, payments, plans),
    console,
)

app = compose(DEFAULT_MODULES)
