"""What goes over the wire for second factors and passkeys."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from nexuscore.kernel.http import Schema
from nexuscore.modules.identity.schemas import Carrier, Name


def _without_spaces(code: object) -> object:
    return "".join(code.split()) if isinstance(code, str) else code


TotpCode = Annotated[str, BeforeValidator(_without_spaces), StringConstraints(pattern=r"^[0-9]{6}$")]
Recovery = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Base64 = Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[A-Za-z0-9_-]+$")]
Codes = Annotated[
    list[str] | None,
    Field(description="Shown this once: each signs in once in place of a lost second factor. Null: the old ones hold."),
]


class Credential(Schema):
    """What `navigator.credentials` answered, as its `toJSON()` writes it."""

    model_config = ConfigDict(extra="ignore", serialize_by_alias=True)

    id: Base64
    raw_id: Base64 = Field(alias="rawId")
    type: Literal["public-key"]
    response: dict[str, Any] = Field(max_length=20)


class SecondFactors(Schema):
    """The caller's second factors."""

    totp: bool
    passkeys: int
    recovery_codes_left: int
    required: bool = Field(description="Whether the caller's role needs one.")
    missing: bool = Field(description="Whether the role is suspended in this session until one is shown.")


class TotpDraft(Schema):
    """A secret to put into an authenticator app, in three forms. Confirm a code of it."""

    secret: str
    uri: str
    qr: str = Field(description="A picture of the URI, as the `data:` address of an SVG.")


class TotpConfirmation(Schema):
    """The code the app shows now."""

    code: TotpCode


class RecoveryCodes(Schema):
    """Codes for when the second factor is lost."""

    recovery_codes: Codes


class PasskeyOptions(Schema):
    """What to hand to `navigator.credentials`, in the form that `parse…OptionsFromJSON` reads."""

    public_key: dict[str, Any]


class NewPasskey(Schema):
    """What the browser made, and what its owner calls it."""

    credential: Credential
    name: Name | None = None


class PasskeyOut(Schema):
    """One of the caller's passkeys."""

    id: UUID
    name: str
    transports: list[str]
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None
    suspect_at: datetime | None = Field(description="When its counter went back: somebody may have a copy of it.")


class PasskeyMade(PasskeyOut):
    """The new passkey, and recovery codes if there were none."""

    recovery_codes: Codes = None


class PasskeyName(Schema):
    """What a passkey is called from now on."""

    name: Name


class PasskeySignIn(Schema):
    """What the browser signed."""

    credential: Credential
    session: Carrier = "token"


class Proof(Schema):
    """The app's code, or what a passkey signed: one of them."""

    code: TotpCode | None = None
    passkey: Credential | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self._given()) != 1:
            raise ValueError("Send one second factor, no more and no less.")
        return self

    def _given(self) -> list[object]:
        return [each for each in (self.code, self.passkey) if each is not None]


class ChallengeProof(Proof):
    """An answer to the challenge of a sign-in: the app's code, a recovery code, or what a passkey signed."""

    challenge: UUID
    recovery_code: Recovery | None = None

    def _given(self) -> list[object]:
        return super()._given() + ([] if self.recovery_code is None else [self.recovery_code])


class ChallengeToMeet(Schema):
    """The challenge of a sign-in."""

    challenge: UUID
