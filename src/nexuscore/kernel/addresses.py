"""What settings are written as: addresses, origins, networks, limits. A wrong one is told what it must look like."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.limits import read_rate


def _database_url(url: SecretStr | None) -> SecretStr | None:
    if url is not None:
        parts = urlsplit(url.get_secret_value())
        odd = "@" in parts.path + parts.query + parts.fragment or not re.fullmatch(
            r"([^/]*@)?[^@]*?(:\d+)?", parts.netloc
        )
        if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/") or odd:
            raise ValueError(
                "must look like postgresql://user:password@host:5432/name, with %2F for / and the like in a password"
            )
    return url


def _limit(text: str) -> str:
    name, given, rate = text.partition("=")
    if text != "off" and not given:
        raise ValueError("must look like uploads=20/h, chat=off, or off alone to lift all")
    if given and rate.strip() != "off":
        try:
            read_rate(rate)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
    return f"{name.strip()}={rate.strip()}" if given else text


def _redis_url(url: SecretStr | None) -> SecretStr | None:
    if url is not None:
        parts = urlsplit(url.get_secret_value())
        if not ((parts.scheme in ("redis", "rediss") and parts.hostname) or (parts.scheme == "unix" and parts.path)):
            raise ValueError("must look like redis://:password@host:6379/0, rediss://… with TLS, or unix:///a/socket")
    return url


def _web_address(url: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s@]+(/[^?#\s]*)?", url):
        raise ValueError("must look like https://app.example.com")
    return url.rstrip("/")


def _origin(origin: str) -> str:
    if origin != "*" and not re.fullmatch(r"https?://[^/?#\s@*]+", origin):
        raise ValueError("an origin looks like https://app.example.com, without a path")
    return origin


def _network(network: str) -> str:
    return str(ipaddress.ip_network(network, strict=False))


DatabaseUrl = Annotated[SecretStr | None, AfterValidator(_database_url)]
RedisUrl = Annotated[SecretStr | None, AfterValidator(_redis_url)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
LimitText = Annotated[str, AfterValidator(_limit)]
