"""The package of all tables, in one `metadata`: importing one of its files loads all of them."""

from app.store.tables import audit, decision, directory, limits, notification, referral

__all__ = ["audit", "decision", "directory", "limits", "notification", "referral"]
