"""Providers to test against: servers on this machine that speak OpenID Connect and GitHub's OAuth over HTTP.

They answer as the specifications and GitHub's documentation print it, and misbehave on request.
"""

import asyncio
import hashlib
import json
import socket
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "nexus-tests", "a secret: of/the+tests"


@dataclass
class Voucher:
    """One provider. `lies` change what it tells, `told_apart` its user endpoint's; `seen` is what it was told.

    It takes the secret only where `secret_in` says. With `told_apart`, ID tokens hold no address.
    """

    issuer: str = ""
    subject: str = "sub-1"
    email: str | None = "anna@example.com"
    email_verified: bool = True
    lies: dict[str, Any] = field(default_factory=dict)
    secret_in: str = "header"
    told_apart: dict[str, Any] | None = None
    status: int = 200
    error: dict[str, Any] | None = None
    seen: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}))
    signs_with: ECKey | None = None
    emails: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = dict(parse_qsl(scope["query_string"].decode()))
        form = dict(parse_qsl(body.decode()))
        sent = dict(scope["headers"])
        status, answer, headers = self.answer(scope["path"], query, form, sent.get(b"authorization", b"").decode())
        content = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), *headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def answer(
        self, path: str, query: dict[str, str], form: dict[str, str], authorization: str
    ) -> tuple[int, Any, list[Any]]:
        pages: dict[str, Callable[[], tuple[int, Any, list[Any]]]] = {
            "/.well-known/openid-configuration": lambda: (200, self.discovery(), []),
            "/jwks": lambda: (200, {"keys": [self.key.as_dict(private=False)]}, []),
            "/authorize": lambda: self.authorize(query),
            "/login/oauth/authorize": lambda: self.authorize(query),
            "/token": lambda: self.token(form, authorization if self.secret_in == "header" else ""),
            "/userinfo": lambda: self.userinfo(authorization),
            "/login/oauth/access_token": lambda: self.token(form, ""),
            "/user": lambda: (self.status, self.error or {"id": 42, "login": "renamed", **self.lies}, []),
            "/user/emails": lambda: (200, self.emails, []),
        }
        return pages.get(path, lambda: (404, {}, []))()

    def discovery(self) -> dict[str, Any]:
        methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]} if self.secret_in == "form" else {}
        return methods | {
            "issuer": self.lies.get("issuer", self.issuer),
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }

    def authorize(self, query: dict[str, str]) -> tuple[int, Any, list[Any]]:
        """The person agrees at once."""
        self.seen.append(query)
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"
        return 302, {}, [(b"location", back.encode())]

    def userinfo(self, authorization: str) -> tuple[int, Any, list[Any]]:
        """Whom the access token was given for."""
        told = {"sub": self.subject, "email": self.email, "email_verified": self.email_verified}
        return (200, told | (self.told_apart or {}), []) if authorization == "Bearer at-1" else (401, {}, [])

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Any, list[Any]]:
        if self.error is not None:
            return self.status, self.error, []
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        secret = form.get("client_secret")
        if authorization:
            _, secret = map(unquote_plus, b64decode(authorization.removeprefix("Basic ")).decode().split(":"))
        right = asked is not None and asked["code_challenge"] == challenge and secret == SECRET
        if asked is None or not right or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}, []
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": self.subject,
            "iat": int(time()),
            "exp": int(time()) + 300,
            "nonce": asked.get("nonce", ""),
            "name": "Anna",
            **({"email": self.email, "email_verified": self.email_verified} if self.told_apart is None else {}),
            **self.lies,
        }
        key = self.signs_with or self.key
        token = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key, algorithms=["ES256"])
        return 200, {"access_token": "at-1", "token_type": "Bearer", "id_token": token}, []


@asynccontextmanager
async def serving(voucher: Voucher) -> AsyncIterator[Voucher]:
    """The provider on a free port of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    voucher.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(voucher, log_config=None, lifespan="off", access_log=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield voucher
    finally:
        server.should_exit = True
        await task
        listener.close()


def query_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(url.partition("?")[2]).items()}
