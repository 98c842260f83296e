"""Usage: what an organisation and its people have used, what it cost, and the credits it is paid from.

    hold = await usage.reserve(ctx, 50_000, reason="assistant.answer")      # 0.05 at most, in a short transaction
    ...                                                                     # the call outside, with none open
    await usage.settle(ctx, hold.id, units=812, cost_micro=11_368)          # what it really was; the rest is free again

Amounts are micro-units: a millionth of the currency's major unit. Others may call the verbs re-exported here and listen
to what `events` announces; `bill` gives what is to be invoiced. `docs/usage.md` tells the whole story.
"""

from nexuscore.modules.usage.accounts import Balance, balance
from nexuscore.modules.usage.bills import Billable, Billed, bill, billable
from nexuscore.modules.usage.credits import bought, grant, set_terms, take_back
from nexuscore.modules.usage.errors import AlreadySettled, CapReached, CreditsExhausted, ReservationOver
from nexuscore.modules.usage.reservations import release, reserve, settle, spend
from nexuscore.modules.usage.tables import UsageEntry, UsageReservation
from nexuscore.modules.usage.verify import discrepancies

__all__ = [
    "AlreadySettled",
    "Balance",
    "Billable",
    "Billed",
    "CapReached",
    "CreditsExhausted",
    "ReservationOver",
    "UsageEntry",
    "UsageReservation",
    "balance",
    "bill",
    "billable",
    "bought",
    "discrepancies",
    "grant",
    "release",
    "reserve",
    "set_terms",
    "settle",
    "spend",
    "take_back",
]
