"""Audit: the event log made useful. Search, exports, seals that show tampering, archive and retention.

A module gets all of it by `ctx.emit`. If its facts are about money or security, or must be kept for another time than
the settings say, it contributes `Retention("invoice.*")` or `Retention("page.viewed", days=30)`. See `docs/audit.md`.
"""

from nexuscore.modules.audit.retention import Retention

__all__ = ["Retention"]
