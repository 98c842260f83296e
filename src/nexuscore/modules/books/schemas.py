"""What goes over the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from nexuscore.kernel.http import PageQuery, Schema


class AccountTotals(Schema):
    """What moved on an account in a currency, in minor units. `balance` is debit less credit."""

    account: str
    meaning: str
    kind: str
    currency: str
    debit: int
    credit: int
    balance: int


class Report(Schema):
    """Every account that moved. The balances of a currency sum to zero, always."""

    since: date | None
    until: date | None
    accounts: list[AccountTotals]


class PostingOut(Schema):
    """An amount in minor units on an account: above zero a debit, below a credit."""

    account: str
    currency: str
    amount: int


class EntryOut(Schema):
    """One movement of money, and what it moved."""

    id: UUID
    org_id: UUID | None
    posted_on: date
    posted_at: datetime
    source: str
    reference: str
    memo: str
    subject: UUID | None
    posted_by: UUID | None
    postings: list[PostingOut]


class EntryQuery(PageQuery):
    """A page of the journal, of one organisation or about one thing if so asked."""

    org_id: UUID | None = Field(None, description="Movements with this organisation alone.")
    subject: UUID | None = Field(None, description="Movements about this thing, such as an invoice.")
