"""The chart of accounts: small, typed, and open to modules, which contribute accounts of their own."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["asset", "liability", "income", "expense"]


@dataclass(frozen=True, slots=True)
class Account:
    """Where money is, or what it is for. The slot: a module contributes the accounts it needs beyond these."""

    code: str
    meaning: str
    kind: Kind


RECEIVABLE = Account("receivable", "What customers owe for invoices", "asset")
BANK = Account("bank", "Money in the bank", "asset")
CASH = Account("cash", "Money in the till", "asset")
PROCESSOR = Account("processor", "Money at the payment provider", "asset")
DISPUTED = Account("disputed", "Money the payment provider holds back in disputes", "asset")
GST_OUTPUT = Account("gst_output", "GST charged and owed to the tax authority", "liability")
SALES_TAX = Account("sales_tax", "Sales taxes of other places, charged and owed", "liability")
UNAPPLIED = Account("unapplied", "Money received that no invoice accounts for", "liability")
CREDITS = Account("credits", "Credits customers have bought and not spent", "liability")
OWED_TO_HOSTS = Account("owed_to_hosts", "What sellers on the platform are owed", "liability")
REVENUE = Account("revenue", "What was sold", "income")
PLATFORM_FEES = Account("platform_fees", "The platform's fees", "income")
BAD_DEBTS = Account("bad_debts", "Invoices given up", "expense")
PROCESSOR_FEES = Account("processor_fees", "What the payment provider keeps", "expense")

CHART = (
    *(RECEIVABLE, BANK, CASH, PROCESSOR, DISPUTED, GST_OUTPUT, SALES_TAX, UNAPPLIED, CREDITS, OWED_TO_HOSTS),
    *(REVENUE, PLATFORM_FEES, BAD_DEBTS, PROCESSOR_FEES),
)
