"""What other tests need of notes: the table, to look at its rows, and `PROBES`, by which tests/isolation calls
every operation as somebody who may and as everybody who may not.
"""

from typing import Any

from examples.notes.tables import Note
from nexuscore.kernel.testing import Client, House

__all__ = ["PROBES", "Note"]


async def _new(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {}, {"title": "Milk"}


async def _note(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    note = await client.post("/notes", {"title": "Milk"})
    return {"note_id": note.json()["id"]}, None


async def _changed(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return (await _note(house, client))[0], {"title": "Oat milk"}


async def _deleted(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    path, _ = await _note(house, client)
    await client.delete(f"/notes/{path['note_id']}")
    return path, None


PROBES = {
    "create_note": _new,
    "read_note": _note,
    "change_note": _changed,
    "delete_note": _note,
    "restore_note": _deleted,
    "create_note_page": _new,
    "note_page": _note,
    "change_note_page": _changed,
    "delete_note_page": _note,
}
