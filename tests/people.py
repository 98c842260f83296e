"""People and organisations, served to whoever comes over HTTP."""

from nexuscore.kernel.app import compose
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs

app = compose([mail, identity, orgs])
