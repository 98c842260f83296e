"""Organisations: who is in them, what roles there are, and who may do what.

Others may call the verbs re-exported here, put rules about rows together from those of `rules`, fill the slots
`MemberLimit` and `Setting`, and listen to what `events` announces. `docs/organisations.md` tells the whole story.
"""

from nexuscore.modules.orgs.access import held_by_role, organisation_permissions, require_all
from nexuscore.modules.orgs.decisions import Decision, can_explain, explain
from nexuscore.modules.orgs.errors import LimitReached
from nexuscore.modules.orgs.organisations import organisation
from nexuscore.modules.orgs.people import MemberLimit, member_role, members, owners
from nexuscore.modules.orgs.preferences import Setting, setting
from nexuscore.modules.orgs.rules import assigned, both, creator, either, holds, named_in, owner
from nexuscore.modules.orgs.singapore import GstNumber, Phone, Uen
from nexuscore.modules.orgs.tables import Membership, Organisation

__all__ = [
    "Decision",
    "GstNumber",
    "LimitReached",
    "MemberLimit",
    "Membership",
    "Organisation",
    "Phone",
    "Setting",
    "Uen",
    "assigned",
    "both",
    "can_explain",
    "creator",
    "either",
    "explain",
    "held_by_role",
    "holds",
    "member_role",
    "members",
    "named_in",
    "organisation",
    "organisation_permissions",
    "owner",
    "owners",
    "require_all",
    "setting",
]
