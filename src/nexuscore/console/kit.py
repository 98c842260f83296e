"""/console/kit: every part in every state, to look at, to copy from, and for the tests that look for barriers."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Nav, Pages, Public, Schema, Upload, View, Went
from nexuscore.kernel.http.pages import Figure
from nexuscore.kernel.i18n import translate

pages = Pages("/kit", development=True)
Developer = Annotated[Ctx, Public("for whoever makes pages; in production there is none")]
STATES = ("delivered", "failed", "waiting", "late", "new")


class Sample(Schema):
    """What the sample form takes."""

    title: str = Field(min_length=3, max_length=40)
    email: str = ""
    amount: int = Field(ge=1, le=1000)
    kind: str = "one"
    agreed: bool = False
    colours: list[str] = Field(default_factory=list)
    text: str = ""
    file: Upload | None = None


@pages.get(title="Parts", nav=Nav("Develop", icon="columns", order=90))
async def kit_page(ctx: Developer) -> View:
    """All parts pages are made of."""
    rows = [_row(ctx, at) for at in range(8)]
    return View(
        "kit.html",
        sample={"data": rows, "page": {"next_cursor": "more"}},
        figures=[
            Figure(
                translate(ctx.locale, "Requests"),
                48_213,
                [3, 5, 4, 8, 9, 7, 12, 14, 13, 16],
                translate(ctx.locale, "12 % more than yesterday"),
            ),
            Figure(translate(ctx.locale, "Failed deliveries"), 3, [0, 1, 0, 0, 4, 2, 3], href="/console/kit"),
        ],
        thing={"id": "01a1", "type": "invoice.paid", "data": {"amount": 10900, "lines": [1, 2, None], "paid": True}},
    )


@pages.post(shows=kit_page)
async def send_kit_page(ctx: Developer, given: Sample) -> Went:
    """The sample form's action: it is checked as any other, and does nothing."""
    return Went("/console/kit", say="The sample was fine: {title}.", title=given.title)


@pages.post("/danger", shows=kit_page)
async def kit_danger_page(ctx: Developer) -> Went:
    """The sample of something dangerous."""
    return Went("/console/kit", say="Nothing was deleted: this was a sample.", kind="warning")


def _row(ctx: Ctx, at: int) -> dict[str, Any]:
    return {
        "id": f"01890000-0000-7000-8000-00000000000{at}",
        "name": ("Harbour Trading", "Blå Lagune", "שלום בע״מ", "Żółw i Spółka")[at % 4],
        "state": STATES[at % len(STATES)],
        "amount": 10_900 * (at + 1),
        "currency": "SGD",
        "count": 1234 * at,
        "size": 980 * 37**at if at < 5 else None,
        "tags": ["web", "api"][: at % 3],
        "active": at % 2 == 0,
        "at": ctx.now - timedelta(hours=7 * at),
    }
