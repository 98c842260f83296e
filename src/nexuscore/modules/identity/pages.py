"""Pages for people who are not in yet: sign in, register, prove an address, choose a password, second factors.

A mailed link opens a page with a button: programs that look at links before their reader does use nothing up.
"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Exchange, Pages, Public, Reply, Schema, SignedIn, View, Went
from nexuscore.kernel.limits import SIGN_IN
from nexuscore.modules.identity import (
    accounts,
    bootstrap,
    cookies,
    magic_links,
    meter,
    oauth,
    passkey_sign_in,
    passwords,
    profile,
    second_factor,
    sessions,
    sign_in,
)
from nexuscore.modules.identity.errors import AccountSuspended
from nexuscore.modules.identity.factor_schemas import ChallengeProof, PasskeySignIn, Proof
from nexuscore.modules.identity.limits import CODES, MAILS, METER, PROVIDERS, REGISTER
from nexuscore.modules.identity.schemas import (
    Bootstrap,
    Credentials,
    EmailProof,
    Forgotten,
    MailToken,
    NewAccount,
    PasswordProof,
    PasswordReset,
    PasswordToJudge,
    RegistrationAgain,
)
from nexuscore.modules.identity.sign_in import Challenge, SignInStep
from nexuscore.modules.identity.vouching import VouchingFailed
from nexuscore.modules.identity.way_schemas import MagicLinkAsked, MagicLinkUsed

door = Pages("", tag="Signing in")
Anybody = Annotated[Exchange, Public("people sign in here")]
Somebody = Annotated[Exchange, SignedIn()]
Caller = Annotated[Ctx, SignedIn()]
HOME = "/console"


class Strength(Schema):
    """A password in a form, whatever its field is called there."""

    password: str | None = Field(None, max_length=1024)
    new: str | None = Field(None, max_length=1024)
    email: str | None = Field(None, max_length=320)
    name: str | None = Field(None, max_length=255)


_FAILURES = {error.code: error.message for error in (VouchingFailed, oauth.NotLinked, AccountSuspended)}


def _entered(exchange: Exchange, step: SignInStep, return_to: str) -> Went:
    """Where a sign-in leads: to the second factor, or in, with the session's cookies."""
    to = oauth.safe_path(return_to or HOME)
    if isinstance(step, Challenge):
        factors = ",".join(step.factors)
        return Went.with_query(
            "/console/second-factor", challenge=str(step.id), factors=factors, return_to=return_to and to
        )
    went = Went(to)
    if step.cookie:
        cookies.give(exchange.app, went, step.session_id, step.cookie)
    return went


def _where_from(exchange: Exchange) -> str:
    return str(exchange.page.query.get("return_to", ""))


# --- signing in and out -----------------------------------------------------------------------------


@door.get("/sign-in", title="Sign in", outdoors=True, priority="critical")
async def sign_in_page(exchange: Anybody, return_to: str = "", error: str = "", email: str = "") -> View | Went:
    """Every way in."""
    if exchange.identity.actor.known:
        return Went(oauth.safe_path(return_to or HOME))
    failed = _FAILURES.get(error, VouchingFailed.message) if error else ""
    return View("sign_in.html", providers=oauth.shown(exchange.app), failed=failed, return_to=return_to, email=email)


@door.post("/sign-in", limit=SIGN_IN, priority="critical")
async def enter_page(exchange: Anybody, given: Credentials) -> Went:
    """Sign in with a password."""
    step = await sign_in.with_password(exchange, given.model_copy(update={"session": "cookie"}))
    return _entered(exchange, step, _where_from(exchange))


@door.post("/sign-in/passkey", shows=sign_in_page, max_body=65_536, limit=SIGN_IN, priority="critical")
async def enter_by_passkey_page(exchange: Anybody, given: PasskeySignIn) -> Went:
    """Sign in with what the browser's passkey signed."""
    step = await passkey_sign_in.sign_in(exchange, given.model_copy(update={"session": "cookie"}))
    return _entered(exchange, step, _where_from(exchange))


@door.post("/sign-in/with/{provider}", shows=sign_in_page, outdoors=True, limit=PROVIDERS, priority="critical")
async def leave_for_provider_page(exchange: Anybody, provider: str) -> Reply:
    """Begin to sign in with a provider; the page that answers leads there."""
    begun = await oauth.start(
        exchange,
        provider,
        browser=cookies.browser_of(exchange.app, exchange),
        cookie=True,
        return_to=oauth.safe_path(_where_from(exchange) or HOME),
        owner=None,
    )
    view = View("leave.html", title=oauth.provider(exchange.app, provider).label, url=begun.url)
    return cookies.name_browser(exchange.app, view, begun.browser)


@door.get("/second-factor", title="Second factor", outdoors=True, priority="critical")
async def second_factor_page(exchange: Anybody, challenge: UUID, factors: str = "", return_to: str = "") -> View:
    """Show a second factor."""
    kinds = [kind for kind in factors.split(",") if kind] or ["passkey", "totp", "recovery_code"]
    return View("second_factor.html", challenge=str(challenge), factors=kinds)


@door.post("/second-factor", limit=CODES, priority="critical")
async def meet_challenge_page(exchange: Anybody, given: ChallengeProof) -> Went:
    """Meet the challenge of a sign-in."""
    return _entered(exchange, await second_factor.answer(exchange, given), _where_from(exchange))


@door.post("/sign-out")
async def sign_out_page(ctx: Caller) -> Reply:
    """End this session."""
    await sessions.sign_out(ctx)
    return cookies.take(ctx.app, Went("/console/sign-in", say="You are signed out."))


@door.get("/prove", title="Is it you?", outdoors=True)
async def prove_page(exchange: Somebody, return_to: str = "") -> View:
    """Prove again who is there, before something that matters."""
    return View("prove.html", return_to=return_to)


@door.post("/prove")
async def prove_by_password_page(exchange: Somebody, given: PasswordProof) -> Went:
    """Prove it by the password."""
    await passwords.reauthenticate(exchange, given.password)
    return Went(oauth.safe_path(_where_from(exchange) or HOME))


@door.post("/prove/factor", shows=prove_page, max_body=65_536, limit=CODES)
async def prove_by_factor_page(exchange: Somebody, given: Proof) -> Went:
    """Prove it by a second factor."""
    await second_factor.reauthenticate(exchange, given)
    return Went(oauth.safe_path(_where_from(exchange) or HOME))


# --- accounts ---------------------------------------------------------------------------------------


@door.get("/register", title="Create an account", outdoors=True)
async def register_page(exchange: Anybody, return_to: str = "", email: str = "") -> View:
    """Ask for an account."""
    return View("register.html", return_to=return_to, email=email, providers=oauth.shown(exchange.app))


@door.post("/register", limit=REGISTER)
async def take_registration_page(exchange: Anybody, given: NewAccount) -> Went:
    """Take a registration; the mail tells the rest."""
    taken = await accounts.register(exchange, given)
    return Went.with_query(
        "/console/verify-email", registration=str(taken.registration), return_to=_where_from(exchange)
    )


@door.post("/password-meter", outdoors=True, limit=METER)
async def password_meter_page(exchange: Anybody, given: Strength) -> View:
    """How strong a password is, as a part of a page."""
    asked = PasswordToJudge(password=given.new or given.password or " ", email=given.email, name=given.name)
    return View("strength.html", judged=await meter.judge(exchange, asked))


@door.get("/verify-email", title="Confirm your address", outdoors=True)
async def verify_email_page(exchange: Anybody, token: str = "", registration: str = "", return_to: str = "") -> View:
    """By the mailed link, or by the mailed code."""
    return View("verify_email.html", secret=token, registration=registration)


@door.post("/verify-email", limit=CODES)
async def take_proof_page(exchange: Anybody, given: EmailProof) -> Went:
    """Prove an address."""
    await accounts.verify_email(exchange, given)
    to = Went.with_query("/console/sign-in", return_to=_where_from(exchange)).to
    return Went(to, say="Your address is confirmed. You can sign in now.")


@door.post("/verify-email/again", shows=verify_email_page, limit=MAILS)
async def resend_verification_page(exchange: Anybody, given: RegistrationAgain) -> Went:
    """Send the mail once more."""
    await accounts.resend(exchange, given.registration)
    to = Went.with_query("/console/verify-email", registration=str(given.registration)).to
    return Went(to, say="The mail was sent again.")


@door.get("/forgot-password", title="Choose a new password", outdoors=True)
async def forgot_password_page(exchange: Anybody) -> View:
    """Ask for a link."""
    return View("forgot_password.html")


@door.post("/forgot-password", limit=MAILS)
async def mail_reset_page(exchange: Anybody, given: Forgotten) -> Went:
    """Mail a link, if there is an account."""
    await passwords.forgot(exchange, given.email)
    return Went("/console/sign-in", say="If there is an account with this address, a mail is on its way to it.")


@door.get("/reset-password", title="Choose a new password", outdoors=True)
async def reset_password_page(exchange: Anybody, token: str = "") -> View:
    """Choose a password by the mailed link."""
    return View("reset_password.html", secret=token)


@door.post("/reset-password", limit=CODES)
async def take_password_page(exchange: Anybody, given: PasswordReset) -> Went:
    """Take the new password."""
    await passwords.reset(exchange, given)
    return Went("/console/sign-in", say="Your password is changed. Sign in with the new one.")


@door.get("/magic-link", title="Sign in by mail", outdoors=True, priority="critical")
async def magic_link_page(exchange: Anybody, token: str = "", return_to: str = "") -> View:
    """Ask for a link that signs in, or use it."""
    return View("magic_link.html", secret=token)


@door.post("/magic-link", limit=CODES, priority="critical")
async def use_magic_link_page(exchange: Anybody, given: MagicLinkUsed) -> Went:
    """Sign in by the mailed link."""
    step = await magic_links.sign_in(exchange, given.token, cookie=True)
    return _entered(exchange, step, _where_from(exchange))


@door.post("/magic-link/ask", shows=magic_link_page, limit=MAILS, priority="critical")
async def ask_for_magic_link_page(exchange: Anybody, given: MagicLinkAsked) -> Went:
    """Mail a link, if there is an account."""
    await magic_links.ask(exchange, given.email)
    return Went("/console/sign-in", say="If there is an account with this address, a mail is on its way to it.")


@door.get("/confirm-email", title="Confirm your new address", outdoors=True)
async def confirm_email_page(exchange: Anybody, token: str = "") -> View:
    """Move the account to the address the link was mailed to."""
    return View("confirm_email.html", secret=token)


@door.post("/confirm-email", limit=CODES)
async def take_email_page(exchange: Anybody, given: MailToken) -> Went:
    """Do it."""
    await profile.confirm_email(exchange, given.token)
    return Went("/console/account", say="Your address is changed.")


@door.get("/bootstrap", title="Welcome", outdoors=True)
async def bootstrap_page(exchange: Anybody, token: str = "") -> View:
    """The first page of a new installation: who is to run it."""
    return View("bootstrap.html", secret=token, known=exchange.identity.actor.known)


@door.post("/bootstrap", limit=(CODES, SIGN_IN))
async def make_first_admin_page(exchange: Anybody, given: Bootstrap) -> Went:
    """Make the first admin, and let them in."""
    await bootstrap.redeem(exchange, given)
    if exchange.identity.actor.known or given.email is None or given.password is None:
        return Went(HOME, say="You run this installation now.")
    credentials = Credentials(email=given.email, password=given.password, session="cookie")
    return _entered(exchange, await sign_in.with_password(exchange, credentials), "")
