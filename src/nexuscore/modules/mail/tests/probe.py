"""A module that sends mail, with a sender that answers as a test tells it."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from nexuscore.kernel.app import App
from nexuscore.kernel.module import Module
from nexuscore.kernel.money import Money
from nexuscore.kernel.testing import Personas
from nexuscore.modules import mail

MAILS = Path(__file__).parent / "mails"


class Hello(mail.Message, name="probe.hello", subject="Hello {name}", folder=MAILS):
    """A greeting with a secret link."""

    name: str
    link: mail.Link = "https://app.example.com/verify?token=t"
    code: str = "123456"
    note: mail.Paragraphs | None = None


class Bill(mail.Message, name="probe.bill", subject="Your bill", folder=MAILS):
    """Every type a template formats."""

    at: datetime
    span: timedelta
    amount: Money


class Broken(mail.Message, name="probe.broken", subject="Broken", folder=MAILS):
    """Uses a name that is no field, and a text nobody translated."""

    name: str


class Include(mail.Message, name="probe.include", subject="Include", folder=MAILS):
    """Tries to read a file."""


class Inside(mail.Message, name="probe.inside", subject="Inside", folder=MAILS):
    """Tries to climb out of the sandbox."""

    name: str


class Spy(mail.Message, name="probe.spy", subject="Spy", folder=MAILS):
    """Fetches a picture, and leaves a name in braces."""


class Unlisted(mail.Message, name="unlisted.hello", subject="Hello", folder=MAILS):
    """In no manifest."""


class Script(mail.Sender):
    """Answers what `answers` says, one by one; without any, it takes the mail."""

    name: ClassVar[str] = "script"

    def __init__(self) -> None:
        self.answers: list[mail.Outcome | Exception] = []
        self.seen: list[mail.Outgoing] = []
        self.ready = False
        self.takes_s = 0.0

    def is_set_up(self, app: App) -> bool:
        """Only in tests that ask for it."""
        return self.ready

    async def send(self, app: App, mail_out: mail.Outgoing) -> mail.Outcome:
        """The next answer."""
        self.seen.append(mail_out)
        await asyncio.sleep(self.takes_s)
        answer = self.answers.pop(0) if self.answers else mail.Taken(f"{self.name}-{len(self.seen)}")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Second(Script):
    """Another one, to fall back to."""

    name: ClassVar[str] = "second"


first, second = Script(), Second()
messages = mail.Messages(Hello, Bill, Broken, Include, Inside)
probe = Module(name="probe", package=None, needs=("mail",), contributes=(messages, first, second, Personas()))
