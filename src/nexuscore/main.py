"""The app as it ships: `app = compose(DEFAULT_MODULES)`."""

from nexuscore.kernel.app import compose
from nexuscore.kernel.module import Module

DEFAULT_MODULES: tuple[Module, ...] = ()

app = compose(DEFAULT_MODULES)
