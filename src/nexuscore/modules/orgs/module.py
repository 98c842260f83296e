"""The manifest: all that organisations add to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.orgs import events, invitations, jobs, permissions, tables
from nexuscore.modules.orgs.commands import commands
from nexuscore.modules.orgs.finding import MemberFinder, OwnOrganisationFinder, RoleFinder
from nexuscore.modules.orgs.memberships import StoredMemberships
from nexuscore.modules.orgs.messages import MESSAGES
from nexuscore.modules.orgs.pages import Switcher, pages
from nexuscore.modules.orgs.people import MemberLimit
from nexuscore.modules.orgs.preferences import Setting
from nexuscore.modules.orgs.routes import answering, routes
from nexuscore.modules.orgs.seeds import OrganisationSeed
from nexuscore.modules.orgs.settings import OrgsSettings

module = Module(
    name="orgs",
    package=__package__,
    needs=("identity", "mail"),
    settings=(OrgsSettings,),
    tables=(
        tables.Organisation,
        tables.Slug,
        tables.CustomRole,
        tables.Membership,
        tables.Invitation,
        tables.OwnershipTransfer,
    ),
    routes=(routes, answering),
    pages=(pages,),
    events=events.ALL,
    listeners=(jobs.leave_when_closed, jobs.leave_when_deleted),
    schedules=(jobs.expire,),
    permissions=permissions.ALL,
    slots=(Slot(MemberLimit, single=True), Slot(Setting)),
    contributes=(
        OrganisationSeed(),
        StoredMemberships(),
        MESSAGES,
        invitations.DAYS,
        Switcher(),
        MemberFinder(),
        RoleFinder(),
        OwnOrganisationFinder(),
    ),
    commands=commands,
)
