"""Rules about single rows, to be put together: who made it, who owns it, whom it was given to.

CanClose = Annotated[RowCtx[Ticket], Can(CLOSE, row=get, rule=either(creator, assigned, holds("tickets.manage")))]
"""

from typing import Any

from nexuscore.kernel.access import Rule, can, owns
from nexuscore.kernel.ctx import Ctx


def creator(ctx: Ctx, row: Any) -> bool:
    """The actor made it: `created_by`."""
    return owns(ctx, row, "created_by")


def owner(ctx: Ctx, row: Any) -> bool:
    """It belongs to the actor: `owner_id`."""
    return owns(ctx, row, "owner_id")


def assigned(ctx: Ctx, row: Any) -> bool:
    """It was given to the actor to do: `assigned_to`."""
    return owns(ctx, row, "assigned_to")


def named_in(column: str) -> Rule:
    """The row names the actor in `column`."""

    def rule(ctx: Ctx, row: Any) -> bool:
        return owns(ctx, row, column)

    return rule


def holds(permission: str) -> Rule:
    """Whatever the row, the actor holds `permission`: for those who may act on everybody's."""

    def rule(ctx: Ctx, row: Any) -> bool:
        return can(ctx, permission)

    return rule


def either(*rules: Rule) -> Rule:
    """One of the rules is enough."""

    def rule(ctx: Ctx, row: Any) -> bool:
        return any(each(ctx, row) for each in rules)

    return rule


def both(*rules: Rule) -> Rule:
    """All of the rules must hold."""

    def rule(ctx: Ctx, row: Any) -> bool:
        return all(each(ctx, row) for each in rules)

    return rule
