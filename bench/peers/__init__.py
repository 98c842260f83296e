"""The peers: plain apps in other frameworks, each on the same table, and how they are installed and started."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
SECRET = "a-secret-of-the-bench-that-is-long-enough-for-hs256"  # noqa: S105 - guards a table of made-up notes
INSTALLED = HERE.parent / ".peers"
PYTHON = INSTALLED / "python"
CELERY = INSTALLED / "celery"
KEEPERS = INSTALLED / "keepers"
NESTJS = INSTALLED / "nestjs"


class NotInstalled(Exception):
    """Why a peer cannot take part."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A framework: how it is installed, and how it serves `/notes` on $PORT from the database of $PGHOST."""

    name: str
    install: Callable[[], None]
    command: Callable[[int], list[str]]
    signed_in: bool = False  # it asks who somebody is: a token signed with SECRET
    environment: Mapping[str, str] = field(default_factory=dict)


def _install_python() -> None:
    _install(PYTHON, HERE / "requirements.txt")


def install_celery() -> None:
    """Celery, and a Redis in a wheel, for the row about webhooks."""
    _install(CELERY, HERE / "webhooks" / "requirements.txt")


def install_keepers() -> None:
    """Libraries that limit and cache, for the rows about both."""
    _install(KEEPERS, HERE / "keepers" / "requirements.txt")


def _install(place: Path, lock: Path) -> None:
    if _is_current(place, lock):
        return
    _run(sys.executable, "-m", "venv", "--clear", str(place))
    pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run(*pip, "install", "--require-hashes", "--requirement", str(lock))
    _note(place, lock)


def _install_nestjs() -> None:
    source = HERE / "nestjs"
    files = [source / name for name in ("package.json", "package-lock.json", "tsconfig.json", "src/main.ts")]
    if _is_current(NESTJS, *files):
        return
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise NotInstalled("node and npm are not there")
    shutil.rmtree(NESTJS, ignore_errors=True)
    shutil.copytree(source, NESTJS)
    _run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", at=NESTJS)
    _run(str(NESTJS / "node_modules" / ".bin" / "tsc"), "--project", ".", at=NESTJS)
    _note(NESTJS, *files)


def _run(*command: str, at: Path | None = None) -> None:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr + done.stdout).strip().splitlines()[-1:]
        raise NotInstalled(f"{Path(command[0]).name} failed: {' '.join(last)}")


def _is_current(place: Path, *files: Path) -> bool:
    stamp = place / "stamp"
    return stamp.is_file() and stamp.read_text() == _fingerprint(*files)


def _note(place: Path, *files: Path) -> None:
    (place / "stamp").write_text(_fingerprint(*files))


def _fingerprint(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _fastapi(port: int) -> list[str]:
    return [str(PYTHON / "bin" / "python"), str(HERE / "fastapi_sqlalchemy.py")]


def _django(port: int) -> list[str]:
    served = ["--bind", f"127.0.0.1:{port}", "--chdir", str(HERE), "--log-level", "warning"]
    threads = ["--worker-class", "gthread", "--workers", "1", "--threads", "4", "--keep-alive", "60"]
    return [str(PYTHON / "bin" / "python"), "-m", "gunicorn", "django_ninja:application", *served, *threads]


def _drf(port: int) -> list[str]:
    return ["drf:application" if each == "django_ninja:application" else each for each in _django(port)]


def _litestar(port: int) -> list[str]:
    return [str(PYTHON / "bin" / "python"), str(HERE / "litestar_sqlalchemy.py")]


def _nestjs(port: int) -> list[str]:
    return ["node", str(NESTJS / "dist" / "main.js")]


FASTAPI = Peer("FastAPI + SQLAlchemy ORM", _install_python, _fastapi)
DJANGO = Peer("Django Ninja + Django ORM", _install_python, _django)
NEST = Peer("NestJS + TypeORM", _install_nestjs, _nestjs)
LITESTAR = Peer("Litestar + SQLAlchemy ORM", _install_python, _litestar)
DRF = Peer("Django REST framework, in full", _install_python, _drf, signed_in=True)
NEST_FULL = Peer("NestJS + TypeORM, in full", _install_nestjs, _nestjs, signed_in=True, environment={"BENCH_FULL": "1"})
PEERS = (FASTAPI, LITESTAR, DJANGO, DRF, NEST, NEST_FULL)
