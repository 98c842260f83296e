"""Notes with tags: the tutorial's result, on the public API alone.

Others may call the verbs re-exported here, and listen to what `events` announces.
"""

from examples.notes.service import change, create, delete, restore

__all__ = ["change", "create", "delete", "restore"]
