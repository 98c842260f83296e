"""What is stored: the declarative base, the mixins, and the row-level security they bring.

Models describe tables and build statements; they are never instantiated. A row that comes back is
a read-only record with the model's attributes (see `db.py`).
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    MetaData,
    Numeric,
    Table as SqlTable,
    Text,
    Uuid,
    delete as sql_delete,
    func,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INET, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.sql.expression import Executable

from nexuscore.kernel.ids import uuid7

APP_ROLE = "nexus_app"
ACROSS_ROLE = "nexus_across"

# What the scope of the running transaction allows; null when no scope was set, so nothing matches.
SCOPE = "nullif(current_setting('nexus.org', true), '')::uuid"

Id = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=uuid7)]
IpAddress = Annotated[str, mapped_column(INET)]
E = TypeVar("E", bound=Executable)


class Table(DeclarativeBase):
    """The base of every model. Constraint names follow one convention, so migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        int: BigInteger,
        Decimal: Numeric,
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class Timestamped:
    """`created_at` once, `updated_at` with every update that goes through a statement of ours."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=func.clock_timestamp(), sort_order=91
    )


class SoftDeleted:
    """Rows are marked, not removed, and hidden from every statement that does not say otherwise."""

    is_deleted: Mapped[bool] = mapped_column(server_default=text("false"), sort_order=92)
    deleted_at: Mapped[datetime | None] = mapped_column(sort_order=93)


class OrgOwned:
    """Rows belong to one organisation: filled from the scope, and invisible outside it."""

    org_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(SCOPE), index=True, sort_order=-10)


DELETED = "nexus_deleted"  # the execution option: absent = live rows, "with" = all, "only"


def with_deleted(statement: E) -> E:
    """The same statement over live and soft-deleted rows."""
    return statement.execution_options(**{DELETED: "with"})


def only_deleted(statement: E) -> E:
    """The same statement over soft-deleted rows alone."""
    return statement.execution_options(**{DELETED: "only"})


def soft_delete(model: type[Table]) -> Update:
    """Mark rows of `model` as deleted; add `.where(...)`, or leave it off for the whole scope."""
    return update(model).values(is_deleted=True, deleted_at=func.now())


def restore(model: type[Table]) -> Update:
    """Bring soft-deleted rows of `model` back; add `.where(...)`."""
    return only_deleted(update(model).values(is_deleted=False, deleted_at=None))


def hard_delete(model: type[Table]) -> Delete:
    """Remove rows of `model` for good, soft-deleted or not; add `.where(...)`."""
    return with_deleted(sql_delete(model))


def is_org_owned(table: SqlTable) -> bool:
    """Whether `table` carries a tenant's rows and so must have its policies."""
    return any(issubclass(mapper.class_, OrgOwned) for mapper in Table.registry.mappers if mapper.local_table is table)


def org_policies(table: str) -> list[str]:
    """The statements that close `table` to everything outside the transaction's organisation."""
    return [
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'CREATE POLICY scoped ON "{table}" TO {APP_ROLE} USING (org_id = {SCOPE}) WITH CHECK (org_id = {SCOPE})',
        f'CREATE POLICY across ON "{table}" TO {ACROSS_ROLE} USING (true) WITH CHECK (true)',
    ]


def columns(model: type[Table], names: Iterable[str]) -> list[Any]:
    """The columns of `model` called `names`, in that order, for a select that shows just those."""
    return [getattr(model, name) for name in names]
