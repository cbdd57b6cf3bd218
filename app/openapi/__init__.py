"""The committed contract: how operations are documented, and how the document is generated."""
