"""What every class of settings is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AliasChoices, BeforeValidator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Environment = Literal["development", "test", "production"]
T = TypeVar("T")


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


CommaList = Annotated[list[T], BeforeValidator(_split)]
"""A list, written "a, b, c" in the environment (a JSON array will do too)."""


class Settings(BaseSettings):
    """The settings of one module. Frozen; every field has a description, and secrets are `SecretStr`.

    Field `host` of a class with `prefix="mail"` is read from NEXUS_MAIL_HOST, unless its `validation_alias` says
    otherwise. `load` makes them; made directly they hold their defaults and what they are given, nothing else.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, validate_default=True, hide_input_in_errors=True
    )
    prefix: ClassVar[str] = ""

    def __init_subclass__(cls, *, prefix: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if prefix is not None:
            cls.prefix = prefix

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        bare = [name for name, field in cls.model_fields.items() if not field.description]
        if bare:
            raise TypeError(f"{cls.__name__}: say what {', '.join(bare)} means, with Field(..., description=...)")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: `load` reads the environment, once and for all classes."""
        return (init_settings,)

    @classmethod
    def variables(cls, field: str) -> tuple[str, ...]:
        """The environment variables a field is read from; the first that is set counts."""
        alias = cls.model_fields[field].validation_alias
        if isinstance(alias, AliasChoices):
            return tuple(str(choice) for choice in alias.choices)
        if isinstance(alias, str):
            return (alias,)
        return ("_".join(part for part in ("NEXUS", cls.prefix, field) if part).upper(),)

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        """(field, why) for values that are valid one by one but must not be used together or in this environment."""
        return iter(())

    def doubts(self, env: Environment) -> Iterator[tuple[str, str]]:
        """(field, why) for what is allowed and ought to be looked at: a warning at the start and in `nexus doctor`."""
        return iter(())
