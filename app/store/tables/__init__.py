"""The package of all tables, in one `metadata`: importing one of its files loads all of them."""

from app.store.tables import decision, directory, notification, referral

__all__ = ["decision", "directory", "notification", "referral"]
