"""The manifest: all that plans and subscriptions add to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.plans import catalogue_pages, events, jobs, pages, permissions, tables
from nexuscore.modules.plans.entitlements import PlanMembers
from nexuscore.modules.plans.messages import MESSAGES
from nexuscore.modules.plans.routes import plans, routes
from nexuscore.modules.plans.seeds import SubscriptionSeed
from nexuscore.modules.plans.settings import PlanSettings
from nexuscore.modules.plans.use import MembersUsed, Use

module = Module(
    name="plans",
    package=__package__,
    needs=("books", "identity", "invoices", "mail", "orgs", "payments"),
    settings=(PlanSettings,),
    tables=tables.ALL,
    routes=(plans, routes),
    pages=(pages.pages, catalogue_pages.pages),
    events=events.ALL,
    listeners=(
        *(jobs.when_paid, jobs.when_voided, jobs.when_overdue, jobs.when_reversed, jobs.when_a_charge_failed),
        jobs.when_organisation_deleted,
    ),
    workers=(jobs.advance, jobs.tell_of_trial, jobs.try_again, jobs.end_unpaid),
    schedules=(jobs.renew, jobs.notice_trials, jobs.chase, jobs.end_stale),
    permissions=permissions.ALL,
    slots=(Slot(Use),),
    contributes=(SubscriptionSeed(), PlanMembers(), MembersUsed(), MESSAGES),
)
