"""Files a module keeps by name, in a folder of its own, until a module for files takes over. Names look like paths."""

import asyncio
import os
import re
import secrets
from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")


async def put(root: Path, name: str, content: bytes) -> None:
    """Keep `content` under `name`, in place of what was there. It is on the disk when this returns."""
    await asyncio.to_thread(_write, _path(root, name), content)


async def get(root: Path, name: str) -> bytes | None:
    """What is kept under `name`; None when nothing is."""
    try:
        return await asyncio.to_thread(_path(root, name).read_bytes)
    except FileNotFoundError:
        return None


async def remove(root: Path, name: str) -> None:
    """Let it go, if it is there."""
    await asyncio.to_thread(_path(root, name).unlink, missing_ok=True)


async def names(root: Path, prefix: str) -> list[str]:
    """The names that begin with `prefix`, in order."""
    return await asyncio.to_thread(_list, root, prefix)


def _path(root: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name of the store")
    return root / name


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _list(root: Path, prefix: str) -> list[str]:
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if name.startswith(prefix) and _NAME.fullmatch(name))
