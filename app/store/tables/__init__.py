"""Every table, in one `metadata`: whoever imports one of them has them all."""

from app.store.tables import decision, directory, notification, referral

__all__ = ["decision", "directory", "notification", "referral"]
