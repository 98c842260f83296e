"""The log as files, for who has to keep it: one a day (UTC), packed after a while, deleted after a longer one.

Several processes may write to the same folder: every line is one write to the end of the file.
"""

import fcntl
import gzip
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Thread

from nexuscore.kernel import clock

_NAME = re.compile(r"nexus-(\d{4}-\d\d-\d\d)\.log(\.gz)?")
_DAY = 86_400


class LogFolder:
    """A folder of log files. What cannot be written is lost there; standard output still has it."""

    def __init__(self, folder: Path, *, archive_days: int, keep_days: int) -> None:
        self.folder = folder
        self._archive_days = archive_days
        self._keep_days = keep_days
        self._until = 0.0
        self._file = -1
        self.tidying: Thread | None = None

    def write(self, line: bytes) -> None:
        """Add a line to today's file."""
        try:
            if clock.seconds() >= self._until:
                self._open_today()
            os.write(self._file, line)
        except OSError:
            self._until = 0.0  # perhaps the folder is there again for the next line

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._until = -1, 0.0

    def _open_today(self) -> None:
        day = int(clock.seconds() // _DAY)
        self.close()
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        today = datetime.fromtimestamp(day * _DAY, UTC).date()
        self._file = os.open(
            self.folder / f"nexus-{today}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640
        )
        self._until = (day + 1.0) * _DAY
        self.tidying = Thread(target=self.tidy, args=(today,), daemon=True, name="log-tidy")
        self.tidying.start()

    def tidy(self, today: date) -> None:
        """Pack what is old, delete what is older. One process does; what one leaves undone, tomorrow's does."""
        try:
            lock = os.open(self.folder / ".tidy", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for path, age in list(self._aged(today)):
                    if age >= self._keep_days:
                        path.unlink(missing_ok=True)
                    elif age >= self._archive_days and path.suffix == ".log":
                        _pack(path, self.folder / "archive")
            finally:
                os.close(lock)
        except OSError:
            return

    def _aged(self, today: date) -> Iterator[tuple[Path, int]]:
        for path in (*self.folder.glob("nexus-*.log"), *(self.folder / "archive").glob("nexus-*.log.gz")):
            found = _NAME.fullmatch(path.name)
            if found is not None:
                with suppress(ValueError):  # a day there never was
                    yield path, (today - date.fromisoformat(found[1])).days


def _pack(path: Path, archive: Path) -> None:
    """Pack a file into the archive; it is there whole or not at all."""
    archive.mkdir(mode=0o750, exist_ok=True)
    packed = archive / f"{path.name}.gz"
    half = packed.with_suffix(".half")
    with path.open("rb") as plain, gzip.open(half, "wb", compresslevel=9) as writer:
        shutil.copyfileobj(plain, writer)
    half.chmod(0o640)
    half.replace(packed)
    path.unlink()
