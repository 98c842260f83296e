"""The inbox: what outside providers tell us, checked, stored once, and given to whoever handles it.

    module = Module(..., needs=("inbox",), contributes=(inbox.Handler("stripe", "invoice.*", on_invoice),))

A module brings a provider of its own with `Provider`, and one of the schemes or a function like them.
"""

from nexuscore.modules.inbox.errors import BadSignature, Unreadable
from nexuscore.modules.inbox.schemes import github, hmac_signed, sendgrid, standard_webhooks, stripe, telegram
from nexuscore.modules.inbox.service import get, mark_failed, mark_processed, pending, replay
from nexuscore.modules.inbox.slots import Handler, Provider, Received

__all__ = [
    "BadSignature",
    "Handler",
    "Provider",
    "Received",
    "Unreadable",
    "get",
    "github",
    "hmac_signed",
    "mark_failed",
    "mark_processed",
    "pending",
    "replay",
    "sendgrid",
    "standard_webhooks",
    "stripe",
    "telegram",
]
