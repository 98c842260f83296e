"""Pages of the installation: every setting, and what the doctor finds. Both as the command line prints them."""

import asyncio
from typing import Annotated, Literal

from nexuscore.kernel import doctor
from nexuscore.kernel.access import Permission
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.doctor import Line, Report
from nexuscore.kernel.http import Can, Nav, Pages, Query, Schema, View
from nexuscore.kernel.limits import Limit

INSTALLATION = Permission(
    "console.installation", "See every setting, secrets masked, and what the doctor finds.", ("platform:admin",)
)
EXAMINATIONS = Limit("console.doctor", "12/min")
pages = Pages("")
CanSee = Annotated[Ctx, Can(INSTALLATION)]


class SettingsQuery(Schema):
    """Which settings to show."""

    q: str = ""
    source: Literal["environment", ".env", "default"] | None = None


@pages.get("/settings", title="Settings", nav=Nav("Platform", icon="settings", order=95))
async def settings_page(ctx: CanSee, query: Annotated[SettingsQuery, Query()]) -> View:
    """Every setting: its value unless it is secret, its default, where it comes from, what it means."""
    wanted = query.q.strip().casefold()
    loaded = ctx.app.settings
    rows = [
        {"name": row.name, "value": row.value, "default": row.default, "source": row.source, "meaning": row.meaning}
        for row in loaded.rows()
        if query.source in (None, row.source) and wanted in f"{row.name} {row.meaning}".casefold()
    ]
    return View("settings.html", rows=rows, warnings=loaded.warnings)


@pages.get("/doctor", title="Doctor", nav=Nav("Platform", icon="check", order=96), limit=EXAMINATIONS)
async def doctor_page(ctx: CanSee) -> View:
    """Everything is looked at while the page is asked for."""
    lines = await asyncio.to_thread(asyncio.run, examined(ctx.app))
    counts = {state: sum(line.state == state for line in lines) for state in ("ok", "warn", "fail")}
    return View("doctor.html", lines=lines, counts=counts)


async def examined(app: App) -> list[Line]:
    """The doctor's lines. In a thread: comparing models with the database keeps a processor busy for a while."""
    report = Report()
    doctor.check_python(report)
    report.say("ok", "app", ", ".join(module.name for module in app.modules))
    await doctor.examine(report, app)
    return report.lines
