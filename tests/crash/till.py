"""The app that is killed while it takes money and sends it back."""

from nexuscore.kernel.app import compose
from nexuscore.modules.books.module import module as books
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.inbox.module import module as inbox
from nexuscore.modules.invoices.module import module as invoices
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from nexuscore.modules.payments.module import module as payments

modules = [mail, identity, orgs, inbox, books, invoices, payments]
app = compose(modules)
