"""Accounts: registering, proving an address.

Registering looks at no account: it stores what was given with a secret, and a job does the rest. So the
answer and its timing are the same for a new address and for one that has an account; what differs is the mail.
Until the address is proved the password is kept with the secret it came with: whoever registers somebody
else's address first, or again, gets nothing from the owner's click on the owner's own mail.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.jobs import Job, worker
from nexuscore.modules.identity import mails, policy, single_use
from nexuscore.modules.identity.counters import Counter
from nexuscore.modules.identity.emails import mailbox, normalise_email
from nexuscore.modules.identity.errors import SecretInvalid
from nexuscore.modules.identity.events import EmailVerified, UserRegistered
from nexuscore.modules.identity.exchanges import begin, guard
from nexuscore.modules.identity.hashing import make_hash
from nexuscore.modules.identity.roles import first_role
from nexuscore.modules.identity.schemas import EmailProof, NewAccount, Registration
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.single_use import VERIFY_EMAIL
from nexuscore.modules.identity.tables import Secret, User

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_NEW = insert(User).on_conflict_do_nothing(index_elements=[User.email]).returning(User)
_BY_EMAIL = select(User).where(User.email == bindparam("address"))
_VERIFY = (
    update(User)
    .where(User.id == bindparam("owner"), User.state == "unverified")
    .values(state="active", email_verified_at=bindparam("now"), password_changed_at=bindparam("now"))
    .returning(User)
)


class SendVerification(Job, name="identity.send_verification"):
    """Mail the link and code of a registration, or tell an address's owner that there is an account."""

    registration: UUID


async def register(exchange: Exchange, new: NewAccount) -> Registration:
    """Take a registration; what becomes of it is in the mail."""
    app, settings = exchange.app, exchange.app.settings[IdentitySettings]
    email = normalise_email(new.email)
    policy.require(new.password, settings, [email, new.name, new.company])
    await guard(exchange, Counter("mail", mailbox(email), settings.mails_per_hour, _HOUR))
    password_hash = await make_hash(app, new.password)
    given = {
        "email": email,
        "password_hash": password_hash,
        "name": new.name,
        "company": new.company,
        "locale": new.locale or exchange.locale,
        "time_zone": new.time_zone or settings.default_time_zone,
    }
    lasts = timedelta(hours=settings.verification_hours)
    async with begin(exchange) as ctx:
        secret = await single_use.issue(ctx, VERIFY_EMAIL, None, lasts, data=given)
        ctx.enqueue(SendVerification(registration=secret.id))
    return Registration(registration=secret.id, expires_in=int(lasts.total_seconds()))


async def resend(exchange: Exchange, registration: UUID) -> None:
    """Send a registration's mail again, with a new link and a new code. Unknown ones are answered the same."""
    settings = exchange.app.settings[IdentitySettings]
    await guard(
        exchange,
        Counter("resend", str(registration), 1, _MINUTE),
        Counter("resend", str(registration), settings.mails_per_hour, _HOUR),
    )
    async with begin(exchange) as ctx:
        ctx.enqueue(SendVerification(registration=registration))


@worker(SendVerification)
async def send_verification(ctx: Ctx, job: SendVerification) -> None:
    """Make the account if there is none yet, and mail its owner."""
    try:
        secret = await single_use.peek_id(ctx, VERIFY_EMAIL, job.registration)
    except SecretInvalid:
        return
    given = secret.data
    user = await ctx.db.first(
        _NEW,
        email=given["email"],
        name=given["name"],
        locale=given["locale"],
        time_zone=given["time_zone"],
        platform_role=first_role(ctx.app.settings[IdentitySettings]),
    )
    if user is not None:
        ctx.emit(UserRegistered(user_id=user.id))
    else:
        user = await ctx.db.one(_BY_EMAIL, address=given["email"])
    if user.state != "unverified":
        await mails.tell_owner(ctx, user)
        return
    await _mail_proof(ctx, user, secret)


async def _mail_proof(ctx: Ctx, user: User, secret: Secret) -> None:
    settings = ctx.app.settings[IdentitySettings]
    issued = await single_use.renew(ctx, secret, user.id)
    message = mails.Verify(
        link=mails.page(ctx.app, "verify-email", token=issued.token),
        code=issued.code,
        hours=settings.verification_hours,
        minutes=settings.code_minutes,
    )
    await mails.post(ctx, user, message)


async def verify_email(exchange: Exchange, proof: EmailProof) -> None:
    """Take the proof of an address: the link's token, or the code with its registration."""
    async with begin(exchange) as ctx:
        secret = await _proved(ctx, proof)
        if secret is not None:
            await _verified(ctx, secret)
    if secret is None:
        raise SecretInvalid


async def _proved(ctx: Ctx, proof: EmailProof) -> Secret | None:
    match proof:
        case EmailProof(token=str(token), registration=None, code=None):
            return await single_use.redeem(ctx, VERIFY_EMAIL, token)
        case EmailProof(token=None, registration=UUID() as registration, code=str(code)):
            return await single_use.try_code(ctx, VERIFY_EMAIL, registration, code)
        case _:
            raise ValidationError.of([Fault("token", "token_or_code", "Send the token, or the registration and code.")])


async def _verified(ctx: Ctx, secret: Secret) -> None:
    """Open the account with what came with this very proof; every other registration of it is over."""
    given = secret.data
    user = await ctx.db.first(
        _VERIFY,
        owner=secret.user_id,
        now=ctx.now,
        password_hash=given["password_hash"],
        name=given["name"],
        company=given["company"],
        locale=given["locale"],
        time_zone=given["time_zone"],
    )
    if user is None:
        raise SecretInvalid
    await single_use.kill(ctx, user.id)
    ctx.emit(EmailVerified(user_id=user.id))
    await mails.post(ctx, user, mails.Welcome(name=user.name, link=mails.page(ctx.app, "sign-in")))
