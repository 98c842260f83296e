"""What a mail says, before it is written: a typed message per mail, declared by the module that sends it.

    class VerifyEmail(Message, name="identity.verify", subject="Confirm your address", folder=HERE / "mails"):
        link: Link
        hours: int

Its fields are all its templates may use: `mails/verify.mjml` and `mails/verify.txt`. `subject` is an English msgid.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args
from weakref import WeakKeyDictionary

import pydantic
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from nexuscore.kernel import faults
from nexuscore.kernel.app import App
from nexuscore.kernel.errors import ConfigurationError, Fault, ValidationError
from nexuscore.kernel.i18n import placeholders
from nexuscore.modules.mail.errors import InvalidMessage, MessageNotRegistered
from nexuscore.modules.mail.settings import MailSettings

LONGEST_LINE = 2000
RESERVED = frozenset({"_", "n_", "brand", "dir", "end", "lang", "start", "subject"})
ONE_LINE = "Line breaks and control characters are not allowed here."
TOO_LARGE = "This is too much text for one mail."

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bq]\?", re.IGNORECASE)  # mail programs, and Python, decode it: =?utf-8?q?=0a?=
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they reorder what stands around them


@dataclass(frozen=True, slots=True)
class Lines:
    """The mark of a field that may hold line breaks."""


@dataclass(frozen=True, slots=True)
class Href:
    """The mark of a field that is a web address."""


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s<>\"'\\]+", value):
        raise ValueError("must be a web address that starts with https:// or http://")
    return value


Link = Annotated[str, AfterValidator(_web_address), Href()]
"""A field that is put into `href`: http or https, nothing else."""

Paragraphs = Annotated[str, Lines()]
"""A field that may hold line breaks. Every other text is one line."""


@dataclass(frozen=True, slots=True)
class Template:
    """Where a message's templates are and what its subject says."""

    name: str
    subject: str
    folder: Path

    @property
    def short(self) -> str:
        """The files' name: `verify` for `identity.verify`."""
        return self.name.rpartition(".")[2]


class Message(BaseModel):
    """What one mail says to one person. Unknown and missing variables are refused where it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: ClassVar[Template]

    def __init_subclass__(cls, **_: Any) -> None:
        """The keywords are for `__pydantic_init_subclass__`, which runs once the fields are known."""
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, name: str = "", subject: str = "", folder: Path = Path(), **rest: Any
    ) -> None:
        super().__pydantic_init_subclass__(**rest)
        cls.template = Template(name, subject, folder)
        wrong = list(_wrong(cls))
        if wrong:
            raise ConfigurationError(f"{cls.__name__}: {'; '.join(wrong)}")


def _wrong(cls: type[Message]) -> Iterator[str]:
    template, fields = cls.template, cls.model_fields
    if not _NAME.fullmatch(template.name):
        yield "needs a name such as 'identity.verify'"
    if not template.subject:
        yield "needs a subject"
    for suffix in ("mjml", "txt"):
        if not (template.folder / f"{template.short}.{suffix}").is_file():
            yield f"there is no {template.short}.{suffix} in {template.folder}"
    for name in sorted(RESERVED & fields.keys()):
        yield f"the name {name!r} is taken by every template"
    for name in sorted(placeholders(template.subject) - {"product"}):
        if name not in fields:
            yield f"the subject uses {name!r}, which is not a field"
        elif is_marked(fields[name], Lines()):
            yield f"the subject uses {name!r}, which may hold line breaks"


def is_marked(field: FieldInfo, mark: object) -> bool:
    """Whether a field, or what it may be (`Paragraphs | None`), carries a mark."""
    return mark in field.metadata or any(
        mark in getattr(each, "__metadata__", ()) for each in get_args(field.annotation)
    )


class Messages:
    """A module's contribution: the messages it sends. `contributes=(mail.Messages(VerifyEmail, ...),)`"""

    def __init__(self, *kinds: type[Message]) -> None:
        self.kinds = kinds


_registered: WeakKeyDictionary[App, dict[str, type[Message]]] = WeakKeyDictionary()


def registered(app: App) -> dict[str, type[Message]]:
    """Every message of the app by name."""
    found = _registered.get(app)
    if found is None:
        found = {}
        for kind in (kind for each in app.fillers(Messages) for kind in each.kinds):
            if found.setdefault(kind.template.name, kind) is not kind:
                raise ConfigurationError(f"two messages are called {kind.template.name!r}")
        _registered[app] = found
    return found


def variables_of(app: App, message: Message) -> str:
    """The message's fields as JSON, or why it cannot be sent."""
    name = message.template.name
    if registered(app).get(name) is not type(message):
        raise MessageNotRegistered(f"{name} is in no manifest: add contributes=(mail.Messages(...),)")
    try:
        variables = type(message).model_validate(dict(message)).model_dump_json()
    except pydantic.ValidationError as error:
        raise InvalidMessage(f"{name} cannot be sent: {told(error)}") from None
    found = [fault for field, value in message for fault in _line_faults(message, field, value)]
    most = app.settings[MailSettings].max_bytes
    if not found and len(variables.encode()) > most:
        largest = max(message, key=lambda pair: len(str(pair[1])))[0]
        found = [Fault(largest, "too_large", TOO_LARGE)]
    if found:
        raise ValidationError.of(found)
    return variables


def told(error: pydantic.ValidationError) -> str:
    """Which fields are wrong and why, without what is in them: links and codes are nobody's business."""
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False))


def _line_faults(message: Message, field: str, value: Any) -> Iterator[Fault]:
    lines = is_marked(type(message).model_fields[field], Lines())
    for text in _texts(value):
        if not is_clean(text, lines=lines):
            yield Fault(field, "control_character", ONE_LINE)
        elif not lines and len(text) > LONGEST_LINE:
            yield Fault(field, "string_too_long", faults.TEXTS["string_too_long"], {"max_length": LONGEST_LINE})


def _texts(value: Any) -> Iterator[str]:
    """Every text inside a value, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, each in value.items():
                yield from (*_texts(key), *_texts(each))
        case list() | tuple() | set() | frozenset():
            for each in value:
                yield from _texts(each)
        case BaseModel():
            yield from _texts(dict(value))


def is_clean(text: str, *, lines: bool = False) -> bool:
    """Whether a text has nothing in it that could end a header or turn the letters around it."""
    allowed = "\t\n\r" if lines else ""
    return (lines or not _ENCODED_WORD.search(text)) and not any(
        char in _TURNING or (unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in allowed)
        for char in text
    )


def checked_name(name: str | None) -> str | None:
    """The recipient's name as it may stand in a header."""
    if name is not None and not is_clean(name):
        raise ValidationError.of([Fault("name", "control_character", ONE_LINE)])
    if name is not None and len(name) > 200:
        raise ValidationError.of(
            [Fault("name", "string_too_long", faults.TEXTS["string_too_long"], {"max_length": 200})]
        )
    return name


def checked_address(address: str, field: str = "to") -> str:
    """The address as it is put on the envelope; one mailbox, nothing beside it."""
    try:
        found = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise ValidationError.of([Fault(field, "email", faults.EMAIL)]) from None
    return str(found.ascii_email)


def normalise(address: str) -> str:
    """The form in which two spellings of one mailbox are the same text."""
    return checked_address(address).casefold()
