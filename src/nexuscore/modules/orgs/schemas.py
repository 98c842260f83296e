"""What goes over the wire."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from nexuscore.kernel.errors import ValidationError
from nexuscore.kernel.faults import EMAIL
from nexuscore.kernel.http import Schema
from nexuscore.modules.identity import normalise_email
from nexuscore.modules.orgs.singapore import GstNumber, Phone, Uen

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "Line breaks and control characters are not allowed here.")
    return text


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # not found, not a name, a folder
        raise PydanticCustomError(
            "unknown_time_zone", "There is no such time zone. Use a name such as Asia/Singapore."
        ) from None
    return text


def _locale(text: str) -> str:
    try:
        return str(Locale.parse(text, sep="-")).replace("_", "-")
    except (UnknownLocaleError, ValueError):
        raise PydanticCustomError("unknown_locale", "There is no such locale. Use a code such as en-SG.") from None


def _mailbox(text: str) -> str:
    try:
        return normalise_email(text)
    except ValidationError:
        raise PydanticCustomError("email", EMAIL) from None


def _postal(text: str) -> str:
    return text.strip().upper()


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(_one_line)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=100)]
Mailbox = Annotated[str, StringConstraints(max_length=254), AfterValidator(_mailbox)]
TimeZone = Annotated[str, StringConstraints(max_length=50), AfterValidator(_time_zone)]
LocaleCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})*$", max_length=10), AfterValidator(_locale)
]
RoleTitle = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_one_line)
]
RoleName = Literal["owner", "admin", "member", "viewer"]
Offered = Literal["admin", "member", "viewer"]
PermissionName = Annotated[str, StringConstraints(max_length=100)]
Permissions = Annotated[list[PermissionName], Field(max_length=500)]


class Address(Schema):
    """Where bills go."""

    line1: Line
    line2: Line | None = None
    city: Line | None = None
    postal_code: Annotated[str, StringConstraints(max_length=20), AfterValidator(_postal), AfterValidator(_one_line)]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "SG"

    @model_validator(mode="after")
    def _six_digits(self) -> "Address":
        if self.country == "SG" and not re.fullmatch(r"[0-9]{6}", self.postal_code):
            raise PydanticCustomError("invalid_postal_code", "A Singapore postal code has six digits.")
        return self


class NewOrganisation(Schema):
    """An organisation to be made. Without a slug, one is made of the name; without a billing address, it is yours."""

    name: Line
    slug: Slug | None = None
    uen: Uen | None = None
    gst_registered: bool = False
    gst_number: GstNumber | None = None
    billing_email: Mailbox | None = None
    phone: Phone | None = None
    address: Address | None = None
    time_zone: TimeZone = "Asia/Singapore"
    locale: LocaleCode = "en-SG"
    settings: dict[str, Any] = Field(default_factory=dict, max_length=100)


class OrganisationChange(Schema):
    """What to change; what is left out stays, and null empties what may be empty."""

    name: Line | None = None
    slug: Slug | None = None
    uen: Uen | None = None
    gst_registered: bool | None = None
    gst_number: GstNumber | None = None
    billing_email: Mailbox | None = None
    phone: Phone | None = None
    address: Address | None = None
    time_zone: TimeZone | None = None
    locale: LocaleCode | None = None
    settings: dict[str, Any] | None = Field(None, max_length=100, description="Given keys only; null resets one.")


class OrganisationOut(Schema):
    """An organisation as its members see it. `days_left_in_trial` is whole days, never below zero."""

    id: UUID
    name: str
    slug: str
    uen: str | None
    gst_registered: bool
    gst_number: str | None
    billing_email: str
    phone: str | None
    address: dict[str, Any] | None
    time_zone: str
    locale: str
    settings: dict[str, Any]
    trial_ends_at: datetime | None
    is_in_trial: bool
    days_left_in_trial: int
    member_count: int
    owner_email: str | None
    created_at: datetime
    updated_at: datetime


class MyOrganisation(Schema):
    """One of a person's organisations, and their role in it. `deleted_at` is set while it is closed."""

    id: UUID
    name: str
    slug: str
    role: str
    custom_role_id: UUID | None
    joined_at: datetime
    deleted_at: datetime | None


class MemberOut(Schema):
    """A member. `permissions` are those on top of the role."""

    user_id: UUID
    name: str
    email: str | None
    role: str
    custom_role_id: UUID | None
    permissions: list[str]
    invited_by: UUID | None
    created_at: datetime


class MemberChange(Schema):
    """Another role, or other permissions on top of it; what is left out stays."""

    role: RoleName | None = None
    custom_role_id: UUID | None = None
    permissions: Permissions | None = None

    @model_validator(mode="after")
    def _one_role(self) -> "MemberChange":
        if self.role is not None and self.custom_role_id is not None:
            raise PydanticCustomError("not_together", "Give either role or custom_role_id.")
        return self


class NewInvitation(Schema):
    """Whom to invite, and as what: a built-in role, or one of the organisation's own."""

    email: Mailbox
    role: Offered | None = None
    custom_role_id: UUID | None = None

    @model_validator(mode="after")
    def _one_role(self) -> "NewInvitation":
        if self.role is not None and self.custom_role_id is not None:
            raise PydanticCustomError("not_together", "Give either role or custom_role_id.")
        return self


class InvitationOut(Schema):
    """An invitation as those see it who may invite."""

    id: UUID
    email: str
    role: str
    custom_role_id: UUID | None
    state: str
    expires_at: datetime
    sent_at: datetime
    invited_by: UUID | None
    created_at: datetime


class InvitationToken(Schema):
    """The secret of a mailed invitation."""

    token: Annotated[str, StringConstraints(min_length=20, max_length=200)]


class InvitationOffer(Schema):
    """An invitation as its addressee sees it. `role_name` is the role in words."""

    id: UUID
    organisation_id: UUID
    organisation_name: str
    email: str
    role: str
    role_name: str
    invited_by_name: str | None
    expires_at: datetime


class NewTransfer(Schema):
    """To whom ownership is offered. With `step_down`, the one who offers becomes an admin once it is accepted."""

    user_id: UUID
    step_down: bool = True


class TransferOut(Schema):
    """An offer of ownership."""

    id: UUID
    from_user_id: UUID
    to_user_id: UUID
    step_down: bool
    state: str
    expires_at: datetime
    created_at: datetime


class NewRole(Schema):
    """A role to be made."""

    name: RoleTitle
    permissions: Permissions


class RoleChange(Schema):
    """What to change; what is left out stays."""

    name: RoleTitle | None = None
    permissions: Permissions | None = None


class RoleOut(Schema):
    """A role and what it holds. `role` is "custom" for the organisation's own, which `custom_role_id` names."""

    role: str
    custom_role_id: UUID | None
    name: str
    permissions: list[str]


class PermissionOut(Schema):
    """Something that can be allowed, in words, and the built-in roles that hold it at first."""

    name: str
    meaning: str
    roles: list[str]


class HeldPermission(PermissionOut):
    """The same with the roles of one organisation that hold it: built-in names and ids of its own roles."""

    held_by: list[str]


class Matrix(Schema):
    """Roles by permissions of an organisation."""

    roles: list[RoleOut]
    permissions: list[HeldPermission]


class Explanation(Schema):
    """Whether somebody may do something, and why."""

    user_id: UUID
    permission: str
    allowed: bool
    reasons: list[str]
