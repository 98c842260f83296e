"""The app as it ships: `app = compose(DEFAULT_MODULES)`."""

from nexuscore.kernel.app import compose
from nexuscore.kernel.module import Module
from nexuscore.modules.audit.module import module as audit
from nexuscore.modules.mail.module import module as mail

DEFAULT_MODULES: tuple[Module, ...] = (mail, audit)

app = compose(DEFAULT_MODULES)
