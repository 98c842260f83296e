"""Servers that take mail on this machine: a real SMTP server, and the web APIs of Resend and SendGrid as published."""

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic_core import from_json, to_json

USER, PASSWORD = "nexus", "a password"


class Mailbox:
    """What the SMTP server does with a mail. `rcpt` and `data` are its answers, when they are not 250."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self.signed_in: list[bool] = []
        self.rcpt = ""
        self.data = ""
        self.on_data: Callable[[], Awaitable[None]] | None = None

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.original_content or b"", policy=default))
        self.encrypted.append(session.ssl is not None)
        self.signed_in.append(bool(session.authenticated))
        if self.on_data is not None:
            await self.on_data()
        if self.data == "drop":
            server.transport.abort()
            await asyncio.sleep(60)
        return self.data or "250 OK"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """One account."""
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


@asynccontextmanager
async def smtp_server(
    mailbox: Mailbox,
    listener: socket.socket,
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    sign_in: bool = False,
) -> AsyncIterator[None]:
    """A real SMTP server on `listener` while the block runs."""
    loop = asyncio.get_running_loop()

    def protocol() -> Any:
        return SMTP(
            mailbox,
            hostname="mx.example.com",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate if sign_in else None,
            auth_required=sign_in,
            auth_require_tls=starttls is not None,
            loop=loop,
        )

    server = await loop.create_server(protocol, sock=listener, ssl=tls)
    try:
        yield
    finally:
        server.close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for localhost, and the file a client must trust to believe it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, secret = folder / "ca.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return context, trusted


@dataclass
class Asked:
    """One request a vendor got."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Vendor(ABC):
    """A web API. `answers` are (status, headers, body) in order, or a name of a fault; after those it behaves."""

    asked: list[Asked] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], Any] | str] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = Asked(scope["path"], headers, from_json(body))
        self.asked.append(asked)
        status, more, answer = await self.answer(asked)
        raw = b"" if answer is None else answer if isinstance(answer, bytes) else to_json(answer)
        sent = [(name.encode(), value.encode()) for name, value in {"content-type": "application/json", **more}.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": raw})

    async def answer(self, asked: Asked) -> tuple[int, dict[str, str], Any]:
        """What was prepared; "lost" takes the mail and never says so."""
        if self.answers:
            prepared = self.answers.pop(0)
            if not isinstance(prepared, str):
                return prepared
            self.take(asked)
            await asyncio.sleep(60)
        return self.take(asked)

    @abstractmethod
    def take(self, asked: Asked) -> tuple[int, dict[str, str], Any]:
        """Answer as the real one does."""


class Resend(Vendor):
    """POST /emails, idempotent by key for as long as the test lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.by_key: dict[str, tuple[dict[str, Any], str]] = {}

    def take(self, asked: Asked) -> tuple[int, dict[str, str], Any]:
        if asked.path != "/emails":
            return 404, {}, {"statusCode": 404, "name": "not_found", "message": "The requested endpoint does not exist"}
        if asked.headers.get("authorization") != "Bearer re_123":
            return 403, {}, {"statusCode": 403, "name": "invalid_api_key", "message": "API key is invalid"}
        missing = [name for name in ("from", "to", "subject") if not asked.body.get(name)]
        if missing:
            text = f"Missing `{missing[0]}` field"
            return 422, {}, {"statusCode": 422, "name": "missing_required_field", "message": text}
        key = asked.headers["idempotency-key"]
        if key in self.by_key:
            body, id = self.by_key[key]
            if body != asked.body:
                text = "Same idempotency key used with a different request payload"
                return 409, {}, {"statusCode": 409, "name": "invalid_idempotent_request", "message": text}
            return 200, {}, {"id": id}
        id = f"49a3999c-0ce1-4ea6-ab68-afcd6dc2e79{len(self.by_key)}"
        self.by_key[key] = (asked.body, id)
        self.sent.append(asked.body)
        return 200, {}, {"id": id}


class SendGrid(Vendor):
    """POST /v3/mail/send: 202, no body, the id in a header; every accepted request is a mail."""

    def take(self, asked: Asked) -> tuple[int, dict[str, str], Any]:
        if asked.headers.get("authorization") != "Bearer SG.123":
            text = "The provided authorization grant is invalid, expired, or revoked"
            return 401, {}, {"errors": [{"message": text, "field": None, "help": None}]}
        types = [part["type"] for part in asked.body["content"]]
        if types != ["text/plain", "text/html"]:  # it wants them in this order
            text = "If present, text/plain and text/html may only be provided once."
            return 400, {}, {"errors": [{"message": text, "field": "content", "help": None}]}
        self.sent.append(asked.body)
        return 202, {"x-message-id": f"14c5d75ce93.dfd.64b46{len(self.sent)}"}, None


@asynccontextmanager
async def serving(vendor: Vendor) -> AsyncIterator[Vendor]:
    """The vendor on a port of this machine while the block runs."""
    config = uvicorn.Config(vendor, port=0, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    vendor.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield vendor
    finally:
        server.should_exit = server.force_exit = True
        await task
