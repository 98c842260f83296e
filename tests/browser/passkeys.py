"""People, and a small page on which they use passkeys."""

from pathlib import Path
from typing import Annotated

from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Public, Reply, Routes
from nexuscore.kernel.module import Module
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.mail.module import module as mail

HERE = Path(__file__).parent
routes = Routes("/passkeys", tag="Page", outside_api=True)
Anybody = Annotated[Ctx, Public("People sign in on it.")]


@routes.get("")
async def show_page(ctx: Anybody) -> Reply:
    """The page."""
    return Reply(body=(HERE / "passkeys.html").read_bytes(), media="text/html; charset=utf-8")


@routes.get("/page.js")
async def show_script(ctx: Anybody) -> Reply:
    """Its script."""
    return Reply(body=(HERE / "passkeys.js").read_bytes(), media="text/javascript; charset=utf-8")


app = compose([mail, identity, Module(name="passkeys", package=__package__, routes=(routes,))])
