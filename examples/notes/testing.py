"""What other tests need of notes: the table, to look at its rows."""

from examples.notes.tables import Note

__all__ = ["Note"]
