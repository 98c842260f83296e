"""How long facts are kept: modules declare it by type, settings give the rest."""

from dataclasses import dataclass
from datetime import date, timedelta

from nexuscore.kernel.app import App
from nexuscore.modules.audit.settings import SEVEN_YEARS, AuditSettings

FOREVER = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """The slot: facts of `pattern` (`invoice.paid`, `invoice.*`) are kept at least `days`.

    Without days they are about money or security and kept as long as NEXUS_AUDIT_FLOOR_DAYS says. Of several that
    match one type the longest counts.
    """

    pattern: str
    days: int | None = None

    def covers(self, type: str) -> bool:
        """Whether facts of `type` are meant."""
        return matches(self.pattern, type)


MONEY = "credit fee invoice ledger order payment payout plan price purchase quote refund subscription tax wallet"
SECURITY = (
    "access account anomaly api_key audit device guard incident invitation invite_code key member organisation"
    " ownership passkey permission platform privacy role secret security session setting settings user webhook"
)
DEFAULTS = (
    *(Retention(f"{family}.*") for family in (*MONEY.split(), *SECURITY.split())),
    Retention("audit.month_archived", FOREVER),  # verifying the archive asks for these
    Retention("audit.archive_pruned", FOREVER),
)


def matches(pattern: str, type: str) -> bool:
    """Whether a type is the pattern, or of the family the pattern names."""
    return pattern in (type, "*") or (pattern.endswith(".*") and type.startswith(pattern[:-1]))


def days_of(app: App, type: str) -> int:
    """How many days facts of `type` are kept at least."""
    settings = app.settings[AuditSettings]
    asked = [each.days or settings.floor_days for each in app.fillers(Retention) if each.covers(type)]
    return max(asked, default=settings.keep_days)


def floor_of(app: App, type: str) -> int:
    """What no setting goes below: seven years for money and security, nothing for the rest."""
    return SEVEN_YEARS if any(r.days is None and r.covers(type) for r in app.fillers(Retention)) else 0


def is_over(app: App, type: str, month: date, today: date) -> bool:
    """Whether the time of all facts of `type` in `month` is over."""
    return following(month) + timedelta(days=days_of(app, type)) <= today


def following(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)
