"""Which address is dialled, what TLS is told, and what is never written down."""

import socket
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nexuscore.kernel import log, migrate
from nexuscore.kernel.connections import Terms, needs_ipv4, terms
from nexuscore.kernel.database import Database
from nexuscore.kernel.db import Scope
from nexuscore.kernel.errors import ConfigurationError, DatabaseError
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import Databases, canary
from tests.database.servers import Pooler, pooler

pytestmark = pytest.mark.anyio
NAME = "db.nexus.test"


@pytest.mark.parametrize(
    ("dsn", "needed"),
    [
        ("postgresql://u:p@db.example.com:5432/app", True),
        ("postgresql://u:p@db.abcdef.supabase.co/app?sslmode=verify-full", True),
        ("postgresql://u:p@aws-0-eu-1.pooler.supabase.com:6543/app", False),
        ("postgresql://u:p@AWS-0-EU-1.POOLER.SUPABASE.COM:6543/app", False),
        ("postgresql://u:p@pooler.supabase.com.evil.example/app", True),
        ("postgresql://u@/app?host=%2Fvar%2Frun%2Fpostgresql", False),
        ("postgresql:///app", False),
    ],
)
def test_whom_the_rule_is_for(dsn: str, needed: bool) -> None:
    assert needs_ipv4(dsn) is needed


@pytest.mark.parametrize("name", ["FORCE_IPV4_DB", "NEXUS_FORCE_IPV4_DB", "RENDER", "IS_RENDER"])
def test_what_switches_it_on(name: str) -> None:
    read = load([KernelSettings], environ={name: "true"}, env_file=None)[KernelSettings]
    assert terms(read).ipv4
    assert not terms(KernelSettings()).ipv4


def test_settings_become_terms() -> None:
    urls = {f"DATABASE_{kind}URL": f"postgresql://h/{kind or 'app'}" for kind in ("", "DIRECT_", "REPLICA_")}
    more = {"NEXUS_DATABASE_POOLER": "transaction", "NEXUS_POOL_MIN": "10", "NEXUS_POOL_MAX": "100"}
    more |= {"NEXUS_STATEMENT_TIMEOUT_MS": "1000", "NEXUS_LOCK_TIMEOUT_MS": "500", "NEXUS_CONNECT_TIMEOUT_S": "3"}
    more |= {"NEXUS_IDLE_TRANSACTION_TIMEOUT_MS": "9000"}
    read = load([KernelSettings], environ=urls | more, env_file=None)[KernelSettings]
    assert terms(read) == Terms(
        minimum=10,
        maximum=100,
        statement_timeout_ms=1000,
        lock_timeout_ms=500,
        idle_timeout_ms=9000,
        connect_timeout_s=3,
        pooled=True,
        direct="postgresql://h/DIRECT_",
        replica="postgresql://h/REPLICA_",
    )
    assert read.database_owner_url is not None
    assert read.database_owner_url.get_secret_value() == "postgresql://h/DIRECT_"
    with pytest.raises(ConfigurationError, match="NEXUS_POOL_MAX"):
        load([KernelSettings], environ={"NEXUS_POOL_MAX": "101"}, env_file=None)
    with pytest.raises(ConfigurationError, match="DATABASE_DIRECT_URL: must be set with a pooler"):
        load([KernelSettings], environ={"NEXUS_DATABASE_POOLER": "transaction"}, env_file=None)


# --- IPv4, with TLS --------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> tuple[str, Path]:
    """Lines for a pooler that serves TLS as `NAME`, and the certificate that proves it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    kept = tmp_path / "tls"
    kept.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    (kept / "crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (kept / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    kept.chmod(0o755)
    lines = f"client_tls_sslmode = require\nclient_tls_key_file = {kept}/key\nclient_tls_cert_file = {kept}/crt\n"
    return lines, kept / "crt"


@pytest.fixture
def secure(databases: Databases, authority: tuple[str, Path]) -> Iterator[Pooler]:
    """A server that is reached by TLS alone."""
    with pooler(databases.server, authority[0]) as found:
        yield found


def awkward(monkeypatch: pytest.MonkeyPatch, families: dict[int, str]) -> list[int]:
    """`NAME` has these addresses, by family; which families were asked for."""
    real, asked = socket.getaddrinfo, []

    def lookup(host: Any, port: Any, family: int = 0, *rest: Any, **named: Any) -> Any:
        if host != NAME:
            return real(host, port, family, *rest, **named)
        asked.append(family)
        if family not in families:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(families[family], port, 0, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


async def test_ipv4_is_dialled_and_tls_still_checks_the_name(
    databases: Databases, place: str, secure: Pooler, authority: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old way, the address in place of the name, fails where the name is checked: that is shown first.

    Without the rule the name leads to ::1, where nobody listens; with it, to 127.0.0.1.
    """
    asked = awkward(monkeypatch, {0: "::1", socket.AF_INET: "127.0.0.1"})
    proof = f"?sslmode=verify-full&sslrootcert={authority[1]}"
    how = Terms(pooled=True, minimum=1, ipv4=True)
    with pytest.raises(DatabaseError, match="certificate verify failed"):
        await Database(secure.dsn(place) + proof, how).start()
    with pytest.raises(DatabaseError, match="cannot reach"):
        await Database(secure.dsn(place, NAME) + proof, Terms(pooled=True, minimum=1)).start()
    asked.clear()
    database = Database(secure.dsn(place, NAME) + proof, how)
    await database.start()
    async with database.transaction(Scope()) as db:
        assert (await db.raw("SELECT 1 AS one"))[0].one == 1
    await database.stop()
    assert set(asked) == {socket.AF_INET}


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    yield
    log.configure(level="info", format="text")


async def test_a_name_without_ipv4_is_reached_as_it_can_be(
    databases: Databases, place: str, secure: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = StringIO()
    log.configure(level="info", format="json", stream=written)
    asked = awkward(monkeypatch, {0: "127.0.0.1"})
    secret = canary("password")
    dsn = secure.dsn(place, NAME).replace("@", f":{secret}@")
    database = Database(f"{dsn}?sslmode=require", Terms(pooled=True, minimum=1, ipv4=True))
    await database.start()
    await database.stop()
    assert asked == [socket.AF_INET, 0]
    assert "database_without_ipv4" in written.getvalue()
    assert secret not in written.getvalue()


# --- what is never written -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:1/app", "nowhere.invalid/app", "127.0.0.1:1/app?sslmode=verify-full", "127.0.0.1:1/app?sslmode=odd"],
)
async def test_passwords_are_not_in_what_is_said_of_a_database(place: str) -> None:
    written = StringIO()
    log.configure(level="debug", format="json", stream=written)
    secret = canary("password")
    dsn = f"postgresql://nexus_app:{secret}@{place}"
    said = ""
    for attempt in (Database(dsn, Terms(minimum=1)).start(), Database(dsn).connect(), migrate.connect(dsn)):
        try:
            await attempt
        except (OSError, DatabaseError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            said += str(error) + "".join(traceback.format_exception(error))
            log.get_logger("test").error("unreachable", exc_info=error, dsn=dsn, url=dsn)
    assert said.count("Error") >= 3
    assert "unreachable" in written.getvalue()
    assert secret not in said + written.getvalue()


@pytest.mark.parametrize("password", ["{}/x", "a:{}/x", "1/{}", "{}#x", "{}?x"])
def test_a_password_that_must_be_written_otherwise_is_not_taken_for_a_host(password: str) -> None:
    """Seen red: `postgresql://u:SEC/RET@host/db` reads as host u and port SEC, which were said to be unreachable."""
    secret = canary("password")
    url = f"postgresql://nexus_app:{password.format(secret)}@db.example.com/app"
    with pytest.raises(ConfigurationError, match="DATABASE_URL: must look like") as raised:
        load([KernelSettings], environ={"DATABASE_URL": url}, env_file=None)
    assert secret not in str(raised.value)


def test_settings_show_no_password() -> None:
    secret = canary("password")
    names = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_DIRECT_URL", "DATABASE_REPLICA_URL")
    loaded = load([KernelSettings], environ=dict.fromkeys(names, f"postgresql://u:{secret}@h/d"), env_file=None)
    assert secret not in repr(loaded) + str([(row.name, row.value, row.default) for row in loaded.rows()])
