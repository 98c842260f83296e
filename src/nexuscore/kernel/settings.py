"""Settings: one class per module, read from the environment and `.env`, checked together before anything starts.

class MailSettings(Settings, prefix="mail"):
    host: str = Field(default="localhost", description="The server that takes our mail.")

settings = load([KernelSettings, MailSettings])     # NEXUS_MAIL_HOST
settings[MailSettings].host
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast
from urllib.parse import urlsplit

import pydantic
from dotenv import dotenv_values
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

import nexuscore
from nexuscore.kernel.addresses import DatabaseUrl, LimitText, Network, Origin, RedisUrl, WebAddress
from nexuscore.kernel.errors import ConfigurationError

Environment = Literal["development", "test", "production"]
S = TypeVar("S", bound="Settings")
T = TypeVar("T")

_MASK = "********"
_PLACEHOLDERS = ("changeme", "changethis", "replaceme", "placeholder", "insecure", "yoursecret", "example", "dummy")
_COMMON = frozenset({"admin", "nexus", "nexuscore", "password", "postgres", "root", "secret", "test", "1234"})


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


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
    known = {name for cls in classes for field in cls.model_fields for name in cls.variables(field)}
    faults = []
    for name in sorted(given.keys() - known):
        if name.startswith("NEXUS_"):
            close = get_close_matches(name, known, n=1)
            faults.append(f"{name}: no such setting" + (f"; did you mean {close[0]}?" if close else ""))
    return faults


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


class KernelSettings(Settings, prefix=""):
    """What the ground itself needs to know."""

    env: Environment = Field(
        default="development", description="What this process is for; production refuses unsafe settings."
    )
    app: str = Field(
        default="nexuscore.main:app", description="The composed app that `nexus` works on, as package.module:name."
    )
    title: str = Field(default="NexusCore", description="The product's name, in documents and pages.")
    api_version: str = Field(
        default=nexuscore.__version__,
        pattern=r"^\d+\.\d+\.\d+([-+].+)?$",
        description="The version of the API's document, as 2.1.0. What breaks clients needs another first number, "
        "says `nexus openapi --check`.",
    )
    api_license: str = Field(
        default="Apache-2.0", description="Under which licence the API's document stands, as its SPDX identifier."
    )
    data: Path = Field(default=Path("data"), description="The folder for the embedded database, keys and local files.")
    database_url: DatabaseUrl = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "NEXUS_DATABASE_URL"),
        description="The PostgreSQL to use, as a role that owns no tables. Without it we start one in the data folder.",
    )
    database_direct_url: DatabaseUrl = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_DIRECT_URL", "NEXUS_DATABASE_DIRECT_URL"),
        description="The same database past the pooler, when DATABASE_URL goes through one: for LISTEN and workers.",
    )
    database_owner_url: DatabaseUrl = Field(
        default_factory=lambda data: data.get("database_direct_url") or data.get("database_url"),
        validation_alias=AliasChoices("DATABASE_OWNER_URL", "NEXUS_DATABASE_OWNER_URL"),
        description="The same database as the role that owns the tables; migrations use it, past a pooler. "
        "Default: DATABASE_DIRECT_URL, else DATABASE_URL.",
    )
    database_replica_url: DatabaseUrl = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_REPLICA_URL", "NEXUS_DATABASE_REPLICA_URL"),
        description="A streaming replica, for reads that may lag. Without it, or while it is away, the primary reads.",
    )
    database_pooler: Literal["none", "transaction"] = Field(
        default="none",
        description="What DATABASE_URL leads through: transaction is PgBouncer or the like in transaction mode.",
    )
    force_ipv4_db: bool = Field(
        default=False,
        validation_alias=AliasChoices("NEXUS_FORCE_IPV4_DB", "FORCE_IPV4_DB", "IS_RENDER", "RENDER"),
        description="Reach the database by IPv4 alone, for clouds without a way to its IPv6 address. "
        "The name is kept for TLS; Supabase's pooler is left as it is.",
    )
    pool_min: int = Field(default=2, ge=0, le=100, description="Database connections kept open, per process.")
    pool_max: int = Field(default=20, ge=1, le=100, description="Database connections at most, per process.")
    connect_timeout_s: float = Field(default=10, gt=0, description="How long a connection to the database may take.")
    statement_timeout_ms: int = Field(
        default=30_000, ge=0, description="A statement that runs longer is stopped; 0 is never."
    )
    lock_timeout_ms: int = Field(
        default=10_000, ge=0, description="A statement that waits longer for somebody's lock is stopped; 0 is never."
    )
    idle_transaction_timeout_ms: int = Field(
        default=60_000, ge=0, description="A transaction nothing happens in for so long is ended; 0 is never."
    )
    redis_url: RedisUrl = Field(
        default=None,
        description="The Redis or Valkey that processes share: cache, limits. One process needs none, several do.",
    )
    redis_prefix: str = Field(
        default="nexus",
        pattern=r"^[a-z0-9_-]+$",
        description="What our keys there start with: one word an environment.",
    )
    redis_timeout_ms: int = Field(
        default=50, ge=5, le=5_000, description="How long a request waits for Redis before it goes on without."
    )
    redis_retry_s: float = Field(
        default=30, gt=0, description="How long Redis is left alone once it failed five times in a row."
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on; 0.0.0.0 for all.")
    port: int = Field(default=8000, ge=0, le=65_535, description="The port to listen on; 0 takes a free one.")
    public_url: WebAddress = Field(
        default="http://127.0.0.1:8000",
        description="Where people reach this installation; links in mails start with it.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Everything sealed or signed depends on it: 32 characters or more, random. Outside production one "
        "is made in the data folder.",
    )
    secret_keys_previous: CommaList[SecretStr] = Field(
        default_factory=list, description="Earlier secret keys, newest first, still able to open and verify."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        default="info", description="The least important lines still written."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="JSON lines or readable text; auto is JSON in production and text elsewhere."
    )
    log_folder: Path | None = Field(
        default=None, description="A folder to keep the log in too, a file a day; without it, standard output alone."
    )
    log_archive_days: int = Field(default=90, ge=1, description="After so many days a file of the log is packed,")
    log_keep_days: int = Field(default=365, ge=1, description="and after so many deleted.")
    slow_request_ms: float = Field(
        default=1000, gt=0, description="A request or job that takes longer is logged as a warning."
    )
    many_queries: int = Field(default=10, ge=1, description="One that sends the database more statements is, too.")
    too_many_queries: int = Field(default=50, ge=1, description="One that sends it so many more raises an alert.")
    very_slow_request_ms: float = Field(default=5000, gt=0, description="A request that takes longer raises an alert.")
    alert_hook_url: SecretStr | None = Field(
        default=None, description="Where critical alerts are posted as JSON; a Slack or Mattermost hook will do."
    )
    alert_pagerduty_key: SecretStr | None = Field(
        default=None, description="An integration key of PagerDuty: critical alerts open an incident."
    )
    alert_pagerduty_url: WebAddress = Field(
        default="https://events.pagerduty.com/v2/enqueue", description="Where PagerDuty takes events."
    )
    alert_again_s: float = Field(
        default=900, gt=0, description="How long the same matter is not told again; it is counted meanwhile."
    )
    alerts_per_hour: int = Field(default=20, ge=1, description="Alerts told at most, the critical first.")
    otel_endpoint: WebAddress | None = Field(
        default=None,
        description="Where traces are sent by OTLP over HTTP, as http://collector:4318; needs nexuscore[otel].",
    )
    otel_service: str = Field(default="nexuscore", min_length=1, description="What the process is called in traces.")
    otel_sample: float = Field(
        default=1.0, ge=0, le=1, description="The share of traces that begin here and are sent; others' wish is kept."
    )
    job_lag_s: float = Field(
        default=60, gt=0, description="A due job that waits longer makes the installation degraded."
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="The bearer token that opens /metrics and the details of /health. In production, without one, "
        "/metrics is closed.",
    )
    trusted_proxies: CommaList[Network] = Field(
        default_factory=list, description="Networks whose X-Forwarded-For is believed, as 10.0.0.0/8."
    )
    cors_origins: CommaList[Origin] = Field(
        default_factory=list, description="Web origins that may call the API from a browser; none unless named."
    )
    limits: CommaList[LimitText] = Field(
        default_factory=list,
        description="Rate limits that are to be other than declared: uploads=20/h, user=5000/h + 500/min, chat=off; off"
        " alone lifts all.",
    )
    max_in_flight: int = Field(
        default=200,
        ge=1,
        description="Requests worked on at the same time, per process; more are told to come back, the critical last.",
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1, description="The largest request body, uploads apart.")
    request_timeout_s: float = Field(
        default=30, gt=0, description="A request that takes longer is stopped and answered 504."
    )
    dev_token: SecretStr | None = Field(
        default=None, description="A bearer token that signs in as a developer, until a module for identity is there."
    )
    drain_s: float = Field(
        default=0,
        ge=0,
        description="How long a stopping process goes on answering after /health/ready says no, so that whoever sends "
        "it requests has heard. With a load balancer: longer than it takes between two looks.",
    )
    stream_stall_s: float = Field(
        default=60, gt=0, description="A streamed answer of which nobody reads for so long is cut."
    )
    shutdown_grace_s: float = Field(
        default=20, ge=0, description="How long a stopping process waits for requests and jobs."
    )
    worker_lease_s: float = Field(
        default=10, ge=2, description="How long a silent worker keeps its jobs before another takes them over."
    )
    worker_concurrency: int = Field(default=10, ge=1, description="Jobs run at the same time, per process.")
    default_locale: Literal["en", "he", "pl"] = Field(
        default="en", description="The language when nobody asked for one."
    )

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        """Cross-field rules, and in production whatever would leave a door open."""
        if self.log_keep_days < self.log_archive_days:
            yield "log_keep_days", f"is {self.log_keep_days}, less than it takes to be packed ({self.log_archive_days})"
        if self.pool_min > self.pool_max:
            yield "pool_min", f"is {self.pool_min}, more than the pool may hold ({self.pool_max})"
        if self.database_pooler != "none" and self.database_direct_url is None:
            yield (
                "database_direct_url",
                "must be set with a pooler: LISTEN, the job queue and migrations need a connection past it",
            )
        if env == "production":
            if self.metrics_token is not None and _weak(self.metrics_token):
                yield "metrics_token", "is a placeholder or too short; use 32 or more random characters"
            yield from self._unsafe()

    def _unsafe(self) -> Iterator[tuple[str, str]]:
        if self.secret_key is None:
            yield "secret_key", "must be set in production, to 32 or more random characters"
        elif _weak(self.secret_key):
            yield "secret_key", "is a placeholder or too short; use 32 or more random characters"
        if any(_weak(key) for key in self.secret_keys_previous):
            yield "secret_keys_previous", "one of them is a placeholder or shorter than 32 characters"
        if self.dev_token is not None:
            yield "dev_token", "must not be set in production"
        if "*" in self.cors_origins:
            yield "cors_origins", "must name the origins in production, not *"
        if any(network.endswith("/0") for network in self.trusted_proxies):
            yield "trusted_proxies", "must not be the whole internet"
        if not self.public_url.startswith("https://"):
            yield "public_url", "must start with https:// in production"
        for field, url in (
            ("database_url", self.database_url),
            ("database_owner_url", self.database_owner_url),
            ("redis_url", self.redis_url),
            ("database_direct_url", self.database_direct_url),
            ("database_replica_url", self.database_replica_url),
        ):
            password = urlsplit(url.get_secret_value()).password if url else None
            if password and _is_placeholder(password):
                yield field, "has a placeholder for a password"


def _weak(secret: SecretStr) -> bool:
    value = secret.get_secret_value()
    return len(value) < 32 or len(set(value)) < 10 or _is_placeholder(value)


def _is_placeholder(value: str) -> bool:
    squeezed = re.sub(r"[-_ .]", "", value.lower())
    return squeezed in _COMMON or any(word in squeezed for word in _PLACEHOLDERS)
