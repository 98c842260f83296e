"""What goes over the wire for magic links, API keys, invite codes and phone codes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from nexuscore.kernel.http import PageQuery, Schema
from nexuscore.modules.identity.schemas import Carrier, Code, Email, Line, Name, Token

Phone = Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=40)]
Scope = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PlatformRole = Literal["admin", "moderator", "user", "guest"]


class MagicLinkAsked(Schema):
    """Who wants a link that signs in."""

    email: Email


class MagicLinkUsed(Schema):
    """A mailed link's token."""

    token: Token
    session: Carrier = "token"


class NewApiKey(Schema):
    """A key to be made."""

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=100, description="Permissions, or `account`.")
    owner: Literal["me", "organisation"] = "me"
    expires_at: datetime | None = None


class ApiKeyOut(Schema):
    """A key, without its secret. `prefix` is how it begins."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    user_id: UUID | None
    org_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyMade(ApiKeyOut):
    """A new key with its secret, which is shown this once."""

    key: str


class ApiKeyQuery(PageQuery):
    """The query parameters of the list of keys."""

    owner: Literal["me", "organisation"] = "me"


class NewInviteCode(Schema):
    """A code to be made."""

    role: PlatformRole = "user"
    uses: int = Field(1, ge=1, le=10_000)
    expires_at: datetime | None = None
    label: Line = ""


class InviteCodeOut(Schema):
    """A code, without the code."""

    id: UUID
    role: str
    label: str
    uses_left: int
    expires_at: datetime | None
    created_by: UUID | None
    created_at: datetime
    first_used_by: UUID | None
    first_used_at: datetime | None


class InviteCodeMade(InviteCodeOut):
    """A new code, which is shown this once."""

    code: str


class CodeGiven(Schema):
    """An invite code or the unlock code, as somebody typed it."""

    code: Token


class RoleHeld(Schema):
    """The caller's platform role after a code."""

    platform_role: str


class PhoneAsked(Schema):
    """A number that wants a code."""

    phone: Phone


class PhoneAttempt(Schema):
    """The same answer for every number."""

    attempt: UUID = Field(description="Send it with the code.")
    expires_in: int = Field(description="For how many seconds the code works.")


class PhoneProof(Schema):
    """The code that was sent."""

    attempt: UUID
    code: Code
    session: Carrier = "token"
