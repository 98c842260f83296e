"""Passwords to hashes: Argon2id in a few threads of its own, so that nobody waits for somebody else's sign-in."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import ServiceUnavailable
from nexuscore.modules.identity.settings import IdentitySettings

T = TypeVar("T")
_BCRYPT_READS = 72


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right, and its new hash when the stored one is of an older make."""

    right: bool
    better: str | None = field(repr=False, default=None)


class Threads:
    """A few threads for slow work, and no endless queue in front of them."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="identity")
        self._most = threads + waiting
        self._now = 0

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do slow work in one of the threads; `ServiceUnavailable` when too much of it waits already."""
        if self._now >= self._most:
            raise ServiceUnavailable(retry_after=2)
        self._now += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        finally:
            self._now -= 1


class Hasher:
    """The threads and the recipe of one app."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._settings = settings
        self.threads = Threads(settings.hash_threads, settings.hash_waiting)

    @cached_property
    def recipe(self) -> Any:
        """Argon2id for all that is new; bcrypt is only ever verified."""
        from pwdlib import PasswordHash  # heavy, as are the hashers; only a sign-in needs them
        from pwdlib.hashers.argon2 import Argon2Hasher
        from pwdlib.hashers.bcrypt import BcryptHasher

        settings = self._settings
        argon2 = Argon2Hasher(
            time_cost=settings.argon2_passes,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_lanes,
        )
        return PasswordHash((argon2, BcryptHasher()))

    @cached_property
    def nobodys(self) -> str:
        """A hash nobody's password has: what is verified when there is no account, so that it takes as long."""
        made: str = self.recipe.hash("nobody has this password")
        return made

    def make(self, password: str) -> str:
        """The hash of a password."""
        made: str = self.recipe.hash(normal(password))
        return made

    def verify(self, password: str, stored: str | None) -> Verdict:
        """Whether `password` is the one `stored` was made of; the same work when nothing is stored."""
        nobodys = self.nobodys  # made by the first sign-in of the process, whoever it is
        if stored is None:
            self.recipe.verify(normal(password), nobodys)
            return Verdict(False)
        if not stored.startswith("$2"):
            right, better = self.recipe.verify_and_update(normal(password), stored)
            return Verdict(right, better)
        right = _verify_bcrypt(self.recipe, password, stored)
        return Verdict(right, self.make(password) if right else None)


_hashers: WeakKeyDictionary[App, Hasher] = WeakKeyDictionary()


def hasher(app: App) -> Hasher:
    """The app's."""
    found = _hashers.get(app)
    if found is None:
        found = _hashers[app] = Hasher(app.settings[IdentitySettings])
    return found


async def make_hash(app: App, password: str) -> str:
    """The hash to store of a new password."""
    found = hasher(app)
    return await found.threads.run(found.make, password)


async def verify(app: App, password: str, stored: str | None) -> Verdict:
    """Whether a password is right. Takes as long when nothing is stored."""
    found = hasher(app)
    return await found.threads.run(found.verify, password, stored)


def normal(password: str) -> str:
    """One form for what keyboards write differently. Nothing is cut off."""
    return unicodedata.normalize("NFKC", password)


def _verify_bcrypt(recipe: Any, password: str, stored: str) -> bool:
    """Old hashes saw the password as it was typed, and no more of it than bcrypt reads."""
    try:
        right: bool = recipe.verify(password.encode()[:_BCRYPT_READS], stored)
    except ValueError:
        return False
    return right
