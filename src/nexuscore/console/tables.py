"""What is stored: the input of forms whose sender has to sign in first."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from nexuscore.kernel.tables import Id, Table


class Draft(Table):
    """What somebody typed, sealed, for the browser it was typed in. It belongs to nobody until they sign in again."""

    __tablename__ = "console_drafts"
    __table_args__ = (
        Index("ix_console_drafts_browser", "browser"),
        Index("ix_console_drafts_expires_at", "expires_at"),
    )

    id: Mapped[Id]
    browser: Mapped[bytes]
    sealed: Mapped[str]
    expires_at: Mapped[datetime]
