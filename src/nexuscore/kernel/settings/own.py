"""The settings of the kernel itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr

import nexuscore
from nexuscore.kernel.addresses import DatabaseUrl, LimitText, Network, Origin, RedisUrl, WebAddress
from nexuscore.kernel.settings.base import CommaList, Environment, Settings

_PLACEHOLDERS = ("changeme", "changethis", "replaceme", "placeholder", "insecure", "yoursecret", "example", "dummy")
_COMMON = frozenset({"admin", "nexus", "nexuscore", "password", "postgres", "root", "secret", "test", "1234"})


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


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
