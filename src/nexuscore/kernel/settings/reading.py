"""Reading all classes of settings from the environment and `.env`, and what was found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import pydantic
from dotenv import dotenv_values
from pydantic.fields import FieldInfo

from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.settings.base import Environment, Settings
from nexuscore.kernel.settings.own import KernelSettings

S = TypeVar("S", bound=Settings)

_MASK = "********"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of `nexus settings`; `source` is "environment", ".env" or "default"."""

    name: str
    value: str
    default: str
    source: str
    meaning: str


@dataclass(frozen=True)
class Loaded:
    """The settings of all modules, where each came from, and what looked odd but did not forbid the start."""

    by_class: Mapping[type[Settings], Settings]
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def __getitem__(self, cls: type[S]) -> S:
        """The settings of one class; KeyError when it was not among those loaded."""
        return cast(S, self.by_class[cls])

    def rows(self) -> list[SettingRow]:
        """Every setting with its value and default, secrets masked."""
        return [
            SettingRow(
                name=cls.variables(name)[0],
                value=_shown(field, getattr(settings, name)),
                default=_shown_default(field),
                source=next((self.sources[each] for each in cls.variables(name) if each in self.sources), "default"),
                meaning=field.description or "",
            )
            for cls, settings in self.by_class.items()
            for name, field in cls.model_fields.items()
        ]


def load(
    classes: Sequence[type[Settings]],
    *,
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
) -> Loaded:
    """Read and check all classes. One ConfigurationError names every fault; an empty variable counts as not set."""
    given, sources = _read(os.environ if environ is None else environ, env_file)
    made: dict[type[Settings], Settings] = {}
    faults = _clashes(classes)
    wrong: set[str] = set()
    for cls in classes:
        found = _make(cls, given)
        faults += [f"{variable}: {why}" for variable, why in found.faults]
        wrong |= {variable for variable, _ in found.faults}
        if found.settings is not None:
            made[cls] = found.settings
    env: Environment = next((each.env for each in made.values() if isinstance(each, KernelSettings)), "development")
    for cls, settings in made.items():
        refused = [(cls.variables(field), why) for field, why in settings.refusals(env)]
        faults += [f"{variables[0]}: {why}" for variables, why in refused if not wrong.intersection(variables)]
    unknown = _unknown(classes, given)
    if env == "production":
        faults += unknown
    if faults:
        count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
        raise ConfigurationError("\n  ".join([f"{count} wrong:", *faults]))
    doubts = [f"{cls.variables(field)[0]}: {why}" for cls, each in made.items() for field, why in each.doubts(env)]
    return Loaded(made, {name: sources[name] for name in given}, (*unknown, *doubts))


@dataclass(frozen=True, slots=True)
class _Made:
    settings: Settings | None
    faults: tuple[tuple[str, str], ...] = ()


def _read(environ: Mapping[str, str], env_file: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """(name → text, name → source), the environment before the file, empty ones left out."""
    try:
        in_file = dotenv_values(env_file, interpolate=False) if env_file and env_file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{env_file} cannot be read: {error}") from error
    given, sources = {}, {}
    for source, names in ((".env", in_file), ("environment", environ)):
        for name, text in names.items():
            if text:
                given[name], sources[name] = text, source
    return given, sources


def _make(cls: type[Settings], given: Mapping[str, str]) -> _Made:
    """The settings of a class; with faulty values, those values left out, so that the other rules are still checked."""
    chosen = {}
    for field in cls.model_fields:
        variable = next((each for each in cls.variables(field) if each in given), None)
        if variable is not None:
            chosen[field] = variable
    values: dict[str, Any] = {field: given[variable] for field, variable in chosen.items()}
    try:
        return _Made(cls(**values))
    except pydantic.ValidationError as error:
        wrong = [each for each in error.errors() if each["type"] != "default_factory_not_called"]
        faults = tuple(_fault(cls, each, chosen, given) for each in wrong)
        bad = {str(each["loc"][0]) for each in wrong if each["loc"]}
    try:
        return _Made(cls(**{field: text for field, text in values.items() if field not in bad}), faults)
    except pydantic.ValidationError:
        return _Made(None, faults)


def _fault(cls: type[Settings], error: Any, chosen: Mapping[str, str], given: Mapping[str, str]) -> tuple[str, str]:
    """(variable, what is wrong with it); the value is shown unless it is secret."""
    where = str(error["loc"][0]) if error["loc"] else ""
    why = str(error["msg"]).removeprefix("Value error, ")
    if where in chosen:
        value = _MASK if _is_secret(cls.model_fields[where]) else repr(given[chosen[where]][:80])
        return chosen[where], f"{why} (it is {value})"
    field = next((name for name in cls.model_fields if where in (name, *cls.variables(name))), None)
    if field is None:
        return cls.__name__, why
    return cls.variables(field)[0], "must be set" if error["type"] == "missing" else why


def _clashes(classes: Sequence[type[Settings]]) -> list[str]:
    owners: dict[str, list[str]] = {}
    for cls in dict.fromkeys(classes):
        for name in (each for field in cls.model_fields for each in cls.variables(field)):
            owners.setdefault(name, []).append(cls.__name__)
    return [f"{name}: read by {' and by '.join(readers)}" for name, readers in owners.items() if len(readers) > 1]


def _unknown(classes: Sequence[type[Settings]], given: Mapping[str, str]) -> list[str]:
    known = frozenset(name for cls in classes for field in cls.model_fields for name in cls.variables(field))
    faults = []
    for name in sorted(given.keys() - known):
        if name.startswith("NEXUS_"):
            close = _close(name, known)
            faults.append(f"{name}: no such setting" + (f"; did you mean {close}?" if close else ""))
    return faults


@lru_cache(maxsize=64)
def _close(name: str, known: frozenset[str]) -> str:
    return next(iter(get_close_matches(name, sorted(known), n=1)), "")


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in repr(field.annotation)


def _shown(field: FieldInfo, value: object) -> str:
    if value is None or value == []:
        return ""
    if _is_secret(field):
        return _MASK
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "(must be set)"
    return _shown(field, field.get_default(call_default_factory=True, validated_data={}))
