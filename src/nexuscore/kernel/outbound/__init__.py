"""Calls to addresses that somebody else chose: the rules for where they may go, and the client that keeps them.

    client = Outbound(Policy())
    answer = await client.request("POST", url, headers=[("content-type", "application/json")], body=b"{}")

A name is resolved once, every address it has is checked, and the connection goes to an address that was checked, with
the name in TLS and in `Host`. Redirects are answers, proxies of the environment are not read, time and size are capped.
"""

from nexuscore.kernel.outbound.client import Dial, Outbound, Resolve, dial
from nexuscore.kernel.outbound.targets import LONGEST_URL, Address, OutboundError, Policy, Target, TargetRefused, target
from nexuscore.kernel.outbound.wire import Answer, Connection

__all__ = [
    "LONGEST_URL",
    "Address",
    "Answer",
    "Connection",
    "Dial",
    "Outbound",
    "OutboundError",
    "Policy",
    "Resolve",
    "Target",
    "TargetRefused",
    "dial",
    "target",
]
