"""Codes by phone: a number signs in, or is added to an account, with a code that was sent to it.

The answer is the same for every number. A code works once, for ten minutes and three tries.
"""

from datetime import timedelta
from uuid import UUID

import phonenumbers
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel import i18n
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import AuthenticationError, ConflictError, Fault, NexusError, ValidationError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.jobs import Job, worker
from nexuscore.modules.identity import single_use, texts
from nexuscore.modules.identity.counters import Counter
from nexuscore.modules.identity.errors import SecretInvalid
from nexuscore.modules.identity.events import PhoneVerified, UserRegistered
from nexuscore.modules.identity.exchanges import begin, guard
from nexuscore.modules.identity.roles import first_role
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.sign_in import SignInStep, proceed
from nexuscore.modules.identity.single_use import PHONE
from nexuscore.modules.identity.tables import Secret, User
from nexuscore.modules.identity.way_schemas import PhoneAttempt, PhoneProof

_BY_PHONE = select(User).where(User.phone == bindparam("number"), User.phone_verified_at.is_not(None))
_TAKEN = select(User.id).where(User.phone == bindparam("number"), User.id != bindparam("owner"))
_NEW = insert(User).on_conflict_do_nothing().returning(User)
_SET = (
    update(User)
    .where(User.id == bindparam("owner"))
    .values(phone=bindparam("number"), phone_verified_at=bindparam("now"))
    .returning(User)
)


class PhoneTaken(ConflictError):
    """Told only to somebody who proved that the number is theirs."""

    code = "phone_taken"
    message = "This number belongs to another account."


class SendPhoneCode(Job, name="identity.send_phone_code"):
    """Send a number its code."""

    attempt: UUID
    locale: str


async def ask(exchange: Exchange, phone: str, *, owner: UUID | None = None) -> PhoneAttempt:
    """Ask for a code. With `owner`, to add the number to that account; else to sign in with it."""
    app, settings = exchange.app, exchange.app.settings[IdentitySettings]
    texts.require_sender(app)
    number = normalise_phone(phone, settings.phone_region)
    hour, most = timedelta(hours=1), settings.phone_codes_per_hour
    await guard(
        exchange,
        Counter("phone", number, 1, timedelta(seconds=settings.phone_resend_s)),
        Counter("phone", number, most, hour),
    )
    lasts = timedelta(minutes=settings.code_minutes)
    async with begin(exchange) as ctx:
        sealed = app.keyring.seal("identity.phone", number)
        data = {"number": sealed, "owner": str(owner) if owner else None}
        secret = await single_use.issue(ctx, PHONE, None, lasts, data=data)
        ctx.enqueue(SendPhoneCode(attempt=secret.id, locale=exchange.locale))
    return PhoneAttempt(attempt=secret.id, expires_in=int(lasts.total_seconds()))


@worker(SendPhoneCode)
async def send_phone_code(ctx: Ctx, job: SendPhoneCode) -> None:
    """Make the code and send it; not to a number nobody may sign in with."""
    try:
        secret = await single_use.peek_id(ctx, PHONE, job.attempt)
    except SecretInvalid:
        return
    settings = ctx.app.settings[IdentitySettings]
    number = _number(ctx, secret)
    known = await ctx.db.first(_BY_PHONE, number=number)
    if secret.data["owner"] is None and known is None and not settings.phone_sign_up:
        return
    code = await single_use.new_code(ctx, secret)
    text = i18n.translate(
        job.locale,
        "{code} is your code for {product}. It works for {minutes} minutes. Give it to nobody.",
        code=code,
        product=ctx.app.kernel.title,
        minutes=settings.code_minutes,
    )
    await texts.send(ctx, number, text)


async def sign_in(exchange: Exchange, proof: PhoneProof) -> SignInStep:
    """Sign in with the code; a number without an account makes one, where that is allowed."""
    async with begin(exchange) as ctx:
        step = await _sign_in(ctx, proof)
    if isinstance(step, NexusError):
        raise step
    return step


async def _sign_in(ctx: Ctx, proof: PhoneProof) -> SignInStep | NexusError:
    secret = await single_use.try_code(ctx, PHONE, proof.attempt, proof.code)
    if secret is None or secret.data["owner"] is not None:
        return SecretInvalid()
    number = _number(ctx, secret)
    user = await ctx.db.first(_BY_PHONE, number=number)
    if user is None:
        user = await _sign_up(ctx, number)
    if user is None:
        return SecretInvalid()
    return await proceed(ctx, user, "phone", cookie=proof.session == "cookie")


async def _sign_up(ctx: Ctx, number: str) -> User | None:
    settings = ctx.app.settings[IdentitySettings]
    if not settings.phone_sign_up:
        return None
    user = await ctx.db.first(
        _NEW,
        phone=number,
        phone_verified_at=ctx.now,
        state="active",
        locale=ctx.locale,
        time_zone=settings.default_time_zone,
        platform_role=first_role(settings),
    )
    if user is not None:
        ctx.emit(UserRegistered(user_id=user.id))
        ctx.emit(PhoneVerified(user_id=user.id))
    return user


async def add(exchange: Exchange, proof: PhoneProof) -> None:
    """Add the number to the caller's account."""
    async with begin(exchange) as ctx:
        error = await _add(ctx, proof)
    if error is not None:
        raise error


async def _add(ctx: Ctx, proof: PhoneProof) -> NexusError | None:
    if ctx.actor.id is None:
        return AuthenticationError()
    secret = await single_use.try_code(ctx, PHONE, proof.attempt, proof.code)
    if secret is None or secret.data["owner"] != str(ctx.actor.id):
        return SecretInvalid()
    number = _number(ctx, secret)
    if await ctx.db.first(_TAKEN, number=number, owner=ctx.actor.id) is not None:
        return PhoneTaken()
    await ctx.db.one(_SET, owner=ctx.actor.id, number=number, now=ctx.now)
    ctx.emit(PhoneVerified(user_id=ctx.actor.id))
    return None


def _number(ctx: Ctx, secret: Secret) -> str:
    return ctx.app.keyring.open_sealed("identity.phone", secret.data["number"]).decode()


def normalise_phone(phone: str, region: str) -> str:
    """A number in E.164 form, however it was written; `ValidationError` when it is none."""
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise ValidationError.of([Fault("phone", "not_a_phone_number", "This is not a phone number.")])
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
