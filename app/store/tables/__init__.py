"""The package of all tables, in one `metadata`: importing one of its files loads all of them."""

from app.store.tables import decision, directory, limits, notification, referral

__all__ = ["decision", "directory", "limits", "notification", "referral"]
