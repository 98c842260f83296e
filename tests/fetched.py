"""What tests fetch from npm and PyPI and keep in pytest's cache."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else fills `folder` meanwhile: the tests run in two processes, and both may want what is not there yet."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
