"""The documents: OpenAPI as JSON, and a page that reads it, with nothing fetched from elsewhere."""

from pathlib import Path
from typing import Annotated

from pydantic_core import to_json

from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.routes import Public, Routes

document_routes = Routes("", tag="Documents", outside_api=True)
Anybody = Annotated[Exchange, Public("The documentation is for everybody.")]
_ASSETS = Path(__file__).parent / "assets"
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@document_routes.get("/api/openapi.json")
async def openapi(exchange: Anybody) -> Reply:
    """The OpenAPI 3.1 document."""
    return Reply(body=to_json(exchange.app.openapi))


@document_routes.get("/api/docs")
async def docs(exchange: Anybody) -> Reply:
    """The documentation page."""
    return Reply(body=(_ASSETS / "docs.html").read_bytes(), media="text/html; charset=utf-8")


@document_routes.get("/api/docs/{name}")
async def asset(exchange: Anybody, name: str) -> Reply:
    """The page's style and script."""
    path = _ASSETS / name
    media = _MEDIA.get(path.suffix)
    if media is None or path.parent != _ASSETS or not path.is_file():
        raise NotFoundError
    return Reply(body=path.read_bytes(), media=media).header("cache-control", "max-age=3600")
