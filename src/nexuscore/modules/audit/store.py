"""Where archives and exports are kept: the kernel's store, in the audit's folder."""

from pathlib import Path

from nexuscore.kernel import store
from nexuscore.kernel.app import App
from nexuscore.modules.audit.errors import FileMissing
from nexuscore.modules.audit.settings import AuditSettings


async def put(app: App, name: str, content: bytes) -> None:
    """Keep `content` under `name`, in place of what was there. It is on the disk when this returns."""
    await store.put(_root(app), name, content)


async def get(app: App, name: str) -> bytes:
    """What is kept under `name`; `FileMissing` when nothing is."""
    content = await store.get(_root(app), name)
    if content is None:
        raise FileMissing(details={"file": name})
    return content


async def remove(app: App, name: str) -> None:
    """Let it go, if it is there."""
    await store.remove(_root(app), name)


async def names(app: App, prefix: str) -> list[str]:
    """The names that begin with `prefix`, in order."""
    return await store.names(_root(app), prefix)


def _root(app: App) -> Path:
    return app.settings[AuditSettings].folder or app.kernel.data / "audit"
