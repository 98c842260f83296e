"""What the senders with a web API share: one request, and which failures leave it open whether it arrived."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from nexuscore.kernel import sight
from nexuscore.modules.mail.senders.sender import NotNow

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answered; `body` is its JSON, or empty."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]


async def post(url: str, *, key: str, body: Any, headers: Mapping[str, str], seconds: float) -> Answer | NotNow:
    """POST JSON once: no redirects, no retries. `NotNow` when there was no answer to read."""
    import httpx2

    try:
        with sight.outside("mail") as call:
            sent = {"Authorization": f"Bearer {key}", **headers, **call.headers}
            async with httpx2.AsyncClient(verify=_tls(), timeout=seconds, trust_env=True) as client:
                reply = await client.post(url, json=body, headers=sent)
            call.status = reply.status_code
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
        return NotNow(f"{type(error).__name__}: {error}")  # nothing was sent
    except httpx2.TransportError as error:
        return NotNow(f"{type(error).__name__}: {error}", uncertain=True)
    try:
        found = reply.json()
    except ValueError:
        found = {}
    return Answer(reply.status_code, reply.headers, found if isinstance(found, dict) else {})


def not_now(answer: Answer, reason: str) -> NotNow:
    """A refusal for the time being. A server that failed may have taken the mail first."""
    wait = answer.headers.get("retry-after", "")
    after = timedelta(seconds=min(int(wait), 3600)) if wait.isdigit() else None
    return NotNow(reason, uncertain=answer.status >= 500, after=after)


def reason_of(answer: Answer, text: object) -> str:
    """What is kept of a vendor's explanation."""
    return f"{answer.status} {text}"[:_LONGEST_REASON].strip()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
