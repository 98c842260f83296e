"""Alerts: what somebody must know within a minute. Grouped, told again only after a while, and never too many.

Who is told are the fillers of `AlertSender`: the web hook and PagerDuty are the kernel's, mail is the mail module's.
Of several processes one tells, if they share a Redis.
"""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nexuscore.kernel import clock, metrics
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.redaction import redact_fields

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

Severity = Literal["info", "warning", "critical"]
RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}
TICK = 5.0  # seconds between two rounds of telling
MOST_GROUPS = 100
HOUR = 3600.0
_log = get_logger(__name__)
_sent = metrics.counter("nexus_alerts", "Alerts told, by rule and severity.", ["rule", "severity"])


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason to alert. Its `summary` is translated and filled with the alert's facts; `chat` rings there too."""

    name: str
    severity: Severity
    summary: str
    chat: bool = False


RULES = {
    rule.name: rule
    for rule in (
        Rule("server_error", "critical", "{route} fails with {code}"),
        Rule("error_rate", "critical", "{percent} % of the last {requests} requests failed"),
        Rule("error_spike", "critical", "{percent} % of the last {requests} requests failed: a spike"),
        Rule("critical_line", "critical", "A critical line in the log: {event}"),
        Rule("health_lost", "critical", "{check} is down, and nothing works without it"),
        Rule("health_degraded", "warning", "{check} is not well"),
        Rule("slow_answer", "warning", "{route} took {seconds} s to answer"),
        Rule("slow_answers", "warning", "{count} slow answers in 5 minutes", chat=True),
        Rule("too_many_queries", "warning", "{route} sent the database {queries} statements"),
        Rule("job_parked", "warning", "A job {job} failed its last try and waits for a person"),
        Rule("cache_misses", "info", "Only {percent} % of looks into the cache found something"),
    )
}


@dataclass(slots=True)
class Alert:
    """One group of equal happenings: the rule, the latest facts, and how many there were since it was last told."""

    rule: Rule
    key: str
    facts: dict[str, object]
    first: float
    last: float
    count: int = 0
    owed: set[str] = field(default_factory=set)  # senders that have not taken it yet

    def told(self, locale: str = "en") -> str:
        """The summary, for people."""
        return translate(locale, self.rule.summary, **self.facts)


class AlertSender(ABC):
    """The slot: a way to reach whoever keeps the installation running."""

    name: ClassVar[str]
    least: ClassVar[Severity] = "critical"

    @abstractmethod
    def is_set_up(self, app: "App") -> bool:
        """Whether the settings hold what it needs."""

    def takes(self, alert: Alert) -> bool:
        """Whether this alert is for it."""
        return RANK[alert.rule.severity] >= RANK[self.least]

    @abstractmethod
    async def send(self, app: "App", alert: Alert) -> None:
        """Hand it over; whatever is raised means that it has to be tried again."""


class Alerts:
    """The alerts of one process."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._waiting: dict[tuple[str, str], Alert] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._lately: deque[float] = deque()

    def alert(self, rule: str, key: str, **facts: object) -> None:
        """Something has happened that falls under a rule; `key` tells which happenings are one matter."""
        now = clock.seconds()
        group = (rule, key)
        if group not in self._waiting and len(self._waiting) >= MOST_GROUPS:
            group = (rule, "others")
        waiting = self._waiting.get(group)
        if waiting is None:
            waiting = self._waiting[group] = Alert(RULES[rule], group[1], {}, now, now)
        waiting.facts = redact_fields(facts)
        waiting.last = now
        waiting.count += 1

    async def tell(self) -> None:
        """Tell what waits and may be told now, the critical first."""
        now = clock.seconds()
        self._forget(now)
        due = [group for group in self._waiting if now - self._told.get(group, -HOUR) >= self._app.kernel.alert_again_s]
        for group in sorted(due, key=lambda each: -RANK[self._waiting[each].rule.severity]):
            if len(self._lately) >= self._app.kernel.alerts_per_hour:
                break
            alert = self._waiting[group]
            if not alert.owed:
                if not await self._is_ours(group):
                    self._settle(group, now)
                    continue
                self._begin(alert, now)
            await self._send(alert)
            if not alert.owed:
                self._settle(group, now)

    def _begin(self, alert: Alert, now: float) -> None:
        """Say it in the log, whoever else is told."""
        rule = alert.rule
        say = {"critical": _log.error, "warning": _log.warning, "info": _log.info}[rule.severity]
        say("alert", rule=rule.name, severity=rule.severity, count=alert.count, **_safe(alert.facts))
        _sent.labels(rule.name, rule.severity).inc()
        alert.owed = {each.name for each in self._senders() if each.takes(alert)}
        if alert.owed:
            self._lately.append(now)

    async def _send(self, alert: Alert) -> None:
        senders = [each for each in self._senders() if each.name in alert.owed]
        taken = await asyncio.gather(*(self._hand_over(each, alert) for each in senders))
        alert.owed -= {name for name in taken if name}

    async def _hand_over(self, sender: AlertSender, alert: Alert) -> str | None:
        try:
            async with asyncio.timeout(15):
                await sender.send(self._app, alert)
        except Exception as error:  # noqa: BLE001 - a sender that fails is tried again, and silences no other
            _log.error("alert_not_sent", sender=sender.name, rule=alert.rule.name, reason=type(error).__name__)
            return None
        return sender.name

    def _senders(self) -> list[AlertSender]:
        known = self._app.fillers(AlertSender)  # type: ignore[type-abstract]  # asked for, not made
        return [each for each in known if each.is_set_up(self._app)]

    def _settle(self, group: tuple[str, str], now: float) -> None:
        del self._waiting[group]
        self._told[group] = now

    def _forget(self, now: float) -> None:
        while self._lately and now - self._lately[0] >= HOUR:
            self._lately.popleft()
        for group in [group for group, at in self._told.items() if now - at >= HOUR]:
            del self._told[group]

    async def _is_ours(self, group: tuple[str, str]) -> bool:
        """Whether we are the process that tells: the first to say so. Without a Redis, or when it fails, every one."""
        redis = self._app.redis
        if redis is None:
            return True
        try:
            key = redis.key("alert", *group)
            seconds = max(1, int(self._app.kernel.alert_again_s))
            return await redis.call("SET", key, b"1", "NX", "EX", str(seconds)) is not None
        except Exception:  # noqa: BLE001 - twice is better than never
            return True


def described(app: "App", alert: Alert) -> dict[str, Any]:
    """An alert as programs take it. `text` is what a chat shows."""
    kernel, rule = app.kernel, alert.rule
    more = f" ({alert.count} times)" if alert.count > 1 else ""
    return {
        "text": f"[{rule.severity}] {kernel.title}: {alert.told()}{more}",
        "rule": rule.name,
        "severity": rule.severity,
        "summary": alert.told(),
        "count": alert.count,
        "first": _moment(alert.first),
        "last": _moment(alert.last),
        "facts": _safe(alert.facts),
        "installation": kernel.public_url,
        "environment": kernel.env,
        "machine": socket.gethostname(),
    }


def _safe(facts: Mapping[str, object]) -> dict[str, object]:
    """The facts under names that cannot be taken for fields of the line."""
    reserved = {"event", "level", "logger", "timestamp", "rule", "severity", "count"}
    return {f"of_{name}" if name in reserved else name: value for name, value in facts.items()}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
