"""The log as files: a day each, packed after 90 days, gone after 365."""

import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nexuscore.kernel import log
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.logfiles import LogFolder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LogFolder]:
    found = LogFolder(tmp_path / "log", archive_days=90, keep_days=365)
    yield found
    if found.tidying is not None:
        found.tidying.join(10)
    found.close()


def days(folder: LogFolder, place: str = "", ending: str = ".log") -> list[date]:
    found = (folder.folder / place).glob(f"nexus-*{ending}")
    return sorted(date.fromisoformat(path.name[6:16]) for path in found)


def test_a_year_and_more_goes_by(folder: LogFolder, fake_clock: FakeClock) -> None:
    """Seen red with `age > archive_days`: one day too many stood there plain."""
    for day in range(400):
        folder.write(b'{"day":%d}\n' % day)
        folder.write(b'{"day":%d}\n' % day)
        assert folder.tidying is not None
        folder.tidying.join(10)
        if day < 399:
            fake_clock.advance(days=1)
    today = fake_clock.now().date()
    plain, packed = days(folder), days(folder, "archive", ".log.gz")
    assert plain == [today - timedelta(days=back) for back in range(89, -1, -1)]
    assert packed == [today - timedelta(days=back) for back in range(364, 89, -1)]
    kept = gzip.decompress((folder.folder / "archive" / f"nexus-{packed[0]}.log.gz").read_bytes())
    assert kept == b'{"day":35}\n' * 2
    assert (folder.folder / f"nexus-{today}.log").read_bytes() == b'{"day":399}\n' * 2


def test_what_was_left_half_packed_is_packed_again(folder: LogFolder, fake_clock: FakeClock) -> None:
    """A kill in the middle: the plain file is still there, and the half is no archive."""
    archive = folder.folder / "archive"
    archive.mkdir(parents=True)
    (folder.folder / "nexus-2026-01-01.log").write_bytes(b"one\n")
    (archive / "nexus-2026-01-01.log.half").write_bytes(b"\x1f\x8b half")
    folder.tidy(date(2026, 6, 1))
    assert gzip.decompress((archive / "nexus-2026-01-01.log.gz").read_bytes()) == b"one\n"
    assert days(folder) == []


def test_other_files_are_left_alone(folder: LogFolder) -> None:
    folder.folder.mkdir()
    others = ["nexus-2020-01-01.log.bak", "nexus-notes.log", "access.log", "nexus-2020-13-01.log"]
    for name in others:
        (folder.folder / name).write_text("mine")
    folder.tidy(date(2026, 6, 1))
    assert sorted(path.name for path in folder.folder.glob("[!.]*")) == sorted(others)


def test_several_processes_share_a_day(folder: LogFolder, fake_clock: FakeClock) -> None:
    other = LogFolder(folder.folder, archive_days=90, keep_days=365)
    for number in range(100):
        (folder if number % 2 else other).write(b"%d\n" % number)
    other.close()
    (written,) = folder.folder.glob("*.log")
    assert [int(line) for line in written.read_bytes().splitlines()] == list(range(100))


def test_a_folder_that_cannot_be_written_loses_no_line_of_standard_output(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    stream = io.BytesIO()
    folder = LogFolder(tmp_path / "file" / "log", archive_days=90, keep_days=365)
    log.configure(level="info", format="json", stream=stream, folder=folder)
    log.get_logger("a").info("still_heard")
    assert json.loads(stream.getvalue())["event"] == "still_heard"
    log.configure(level="info", format="text")


def test_lines_go_to_the_folder_and_to_standard_output(folder: LogFolder) -> None:
    stream = io.BytesIO()
    log.configure(level="info", format="json", stream=stream, folder=folder)
    log.get_logger("a").info("kept")
    log.configure(level="info", format="text")
    today = datetime.now(UTC).date()
    assert (folder.folder / f"nexus-{today}.log").read_bytes() == stream.getvalue()
    assert oct((folder.folder / f"nexus-{today}.log").stat().st_mode & 0o777) in {"0o640", "0o600"}
