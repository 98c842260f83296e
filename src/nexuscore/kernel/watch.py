"""The watch of one process: it sees every request and job, keeps the windows, and raises alerts by the rules."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from nexuscore.kernel import alerts, clock, health, log
from nexuscore.kernel.alerts import Alerts
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.sight import Tally
from nexuscore.kernel.windows import Sample, Windows

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

ANALYSE_S = 15.0  # the short window
HEALTH_S = 30.0
ENOUGH = 20  # requests or looks, before a rate says anything
SPIKE, RATE, HITS = 0.10, 0.05, 0.30
SLOW_ANSWERS = 3  # in five minutes
LAST_WORDS_S = 3.0
_log = get_logger(__name__)


class Watch:
    """What an app sees of itself."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self.windows = Windows()
        self.alerts = Alerts(app)
        self._very_slow = app.kernel.very_slow_request_ms / 1000
        self._slow = app.kernel.slow_request_ms / 1000
        self._too_many = app.kernel.too_many_queries
        self._slow_at: list[float] = []
        self._analysed = 0.0
        self._looked = 0.0
        self._round: asyncio.Task[None] | None = None

    def request(self, route: str, status: int, seconds: float, spent: Tally, code: str | None, request_id: str) -> None:
        """A request has been answered."""
        now = clock.seconds()
        failed, slow = status >= 500 or code == "stream_failed", seconds > self._slow
        self.windows.add(Sample(now, seconds, failed, slow, spent.cache_hits, spent.cache_misses))
        if failed and code != "overloaded":
            matter = f"{route} {code}" if status < 502 else str(code)
            self.alerts.alert("server_error", matter, route=route, code=code, status=status, request_id=request_id)
        if slow:
            self._slow_at.append(now)
            if seconds > self._very_slow:
                self.alerts.alert("slow_answer", route, route=route, seconds=round(seconds, 1), request_id=request_id)
        if spent.queries > self._too_many:
            self.alerts.alert("too_many_queries", route, route=route, queries=spent.queries, request_id=request_id)

    def job(self, kind: str, outcome: str, job_id: int) -> None:
        """A job has ended."""
        self.windows.add_job(clock.seconds(), failed=outcome != "done")
        if outcome == "parked":
            self.alerts.alert("job_parked", kind, job=kind, job_id=job_id)

    def line(self, event: str, logger: str) -> None:
        """A critical line was written."""
        self.alerts.alert("critical_line", f"{logger} {event}", event=event, logger=logger)

    def analyse(self) -> None:
        """Hold the windows against the rules."""
        now = clock.seconds()
        latest = self.windows.latest(now - 300)
        if latest.requests >= ENOUGH and latest.error_rate > RATE:
            rule = "error_spike" if latest.error_rate > SPIKE else "error_rate"
            self.alerts.alert(rule, "", percent=round(latest.error_rate * 100), requests=latest.requests)
        if latest.lookups >= ENOUGH and latest.hit_rate < HITS:
            self.alerts.alert("cache_misses", "", percent=round(latest.hit_rate * 100))
        self._slow_at = [at for at in self._slow_at if now - at < 300]
        if len(self._slow_at) >= SLOW_ANSWERS:
            self.alerts.alert("slow_answers", "", count=len(self._slow_at))

    async def look(self) -> None:
        """Ask what the app depends on."""
        found = await health.look(self._app)
        for name, finding in found.checks.items():
            lost = name in found.required and finding.state == "down"
            if finding.state != "up":
                rule = "health_lost" if lost else "health_degraded"
                self.alerts.alert(rule, name, check=name, state=finding.state, **finding.facts)

    async def round(self) -> None:
        """What is due of all this, and tell what came of it."""
        now = clock.seconds()
        if now - self._analysed >= ANALYSE_S:
            self._analysed = now
            self.analyse()
        if now - self._looked >= HEALTH_S:
            self._looked = now
            await self.look()
        await self.alerts.tell()

    def start(self) -> None:
        """Begin to watch; also what the log calls critical."""
        self._looked = clock.seconds()
        log.on_critical(self.line)
        self._round = asyncio.create_task(self._keep_watching())

    async def stop(self) -> None:
        """Tell what still waits, and end."""
        log.on_critical(None)
        if self._round is not None:
            self._round.cancel()
            with suppress(asyncio.CancelledError):
                await self._round
            self._round = None
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self.alerts.tell()

    async def _keep_watching(self) -> None:
        while True:
            await asyncio.sleep(alerts.TICK)
            try:
                await self.round()
            except Exception as error:  # noqa: BLE001 - the watch goes on whatever happens
                _log.error("watch_failed", exc_info=error)
