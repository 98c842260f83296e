"""What is posted: an entry of at least two postings that sum to zero in every currency."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from nexuscore.kernel.money import Money
from nexuscore.modules.books.chart import Account
from nexuscore.modules.books.errors import EntryRefused


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount on an account: above zero it is a debit, below a credit."""

    account: Account
    money: Money


def debit(account: Account, money: Money) -> Posting:
    """Onto an asset or an expense; off a liability or an income."""
    return Posting(account, money)


def credit(account: Account, money: Money) -> Posting:
    """Off an asset or an expense; onto a liability or an income."""
    return Posting(account, -money)


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of money. The same `source` and `reference` are posted once per organisation.

    Postings of nothing are left out. `subject` is what it is about, such as an invoice; `on` is the day it counts
    for, in the supplier's time zone, and defaults to the day it is posted.
    """

    source: str
    memo: str
    postings: tuple[Posting, ...]
    reference: str
    subject: UUID | None = None
    on: date | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "postings", tuple(posting for posting in self.postings if posting.money))
        sums: dict[str, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.money.currency] += posting.money.minor
        if not self.postings or any(sums.values()):
            raise EntryRefused(details={"source": self.source, "sums": dict(sums)})

    def reversed(self, source: str, memo: str, reference: str, on: date | None = None) -> "Entry":
        """The entry that undoes this one."""
        undone = tuple(Posting(posting.account, -posting.money) for posting in self.postings)
        return Entry(source, memo, undone, reference, self.subject, on)
