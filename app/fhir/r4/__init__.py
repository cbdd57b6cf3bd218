"""Base FHIR R4 (4.0.1): its format, its checks, and every address (`codes.py`)."""
