"""The `Link` header of a page (RFC 8288): where the first and the next are, and the one before where that is known."""

from typing import Any
from urllib.parse import quote

from nexuscore.kernel.http.exchange import Exchange

_PLACES = (b"cursor=", b"offset=")
_SAFE = "/?&=%-._~!$'()*+,;:@"


def page_links(exchange: Exchange, info: dict[str, Any]) -> tuple[bytes, bytes]:
    """The header for the page that `info` tells of."""
    sent = exchange.scope["query_string"].split(b"&")
    rest = b"".join(each + b"&" for each in sent if each and not each.startswith(_PLACES)).decode("latin-1")
    here = f"{quote(exchange.path, safe=_SAFE)}?{quote(rest, safe=_SAFE)}"
    links = [f'<{here[:-1]}>; rel="first"']
    if info["next_cursor"] is not None and not info["offset"]:
        links.append(f'<{here}cursor={info["next_cursor"]}>; rel="next"')
    elif info["has_next"]:
        links.append(f'<{here}offset={info["offset"] + info["limit"]}>; rel="next"')
    if info["offset"] and info["has_prev"]:
        links.append(f'<{here}offset={max(0, info["offset"] - info["limit"])}>; rel="prev"')
    return b"link", ", ".join(links).encode("latin-1")
