"""Settings: one class per module, read from the environment and `.env`, checked together before anything starts.

class MailSettings(Settings, prefix="mail"):
    host: str = Field(default="localhost", description="The server that takes our mail.")

settings = load([KernelSettings, MailSettings])     # NEXUS_MAIL_HOST
settings[MailSettings].host
"""

from nexuscore.kernel.settings.base import CommaList, Environment, Settings
from nexuscore.kernel.settings.own import KernelSettings
from nexuscore.kernel.settings.reading import Loaded, SettingRow, load

__all__ = ["CommaList", "Environment", "KernelSettings", "Loaded", "SettingRow", "Settings", "load"]
