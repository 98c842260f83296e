"""Which events an endpoint wants: a type (`invoice.paid`), a family (`invoice.*`), or all (`*`)."""

from collections.abc import Iterable
from functools import lru_cache

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.events import Event


@lru_cache(maxsize=1024)
def patterns_of(type: str) -> tuple[str, ...]:
    """Every filter that lets an event of `type` through."""
    parts = type.split(".")
    return (type, *(".".join(parts[:n]) + ".*" for n in range(len(parts) - 1, 0, -1)), "*")


def public_types(app: App) -> dict[str, type[Event]]:
    """The event types that leave the house: the union of what the modules announce in public."""
    return {name: kind for name, kind in app.event_types.items() if kind.public}


def chosen(app: App, filters: Iterable[str]) -> list[str]:
    """The public event types that one of the filters lets through."""
    wanted = set(filters)
    return [name for name in public_types(app) if not wanted.isdisjoint(patterns_of(name))]


def check(app: App, filters: Iterable[str]) -> None:
    """Refuse filters that let nothing through: most likely a slip of the pen."""
    known = {pattern for name in public_types(app) for pattern in patterns_of(name)} | {"*"}
    faults = [
        Fault(f"filters.{place}", "unknown_event_type", "There is no such event type.")
        for place, each in enumerate(filters)
        if each not in known
    ]
    if faults:
        raise ValidationError.of(faults)
