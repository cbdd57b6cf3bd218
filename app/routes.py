"""Every router of the service, in the order in which the contract shows them."""

from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter

_PARTS = (
    "intake",
    "decision",
    "reading",
    "capacity",
    "directory",
    "notification",
    "caller",
    "health",
)


def routers() -> list[APIRouter]:
    """The routers, one per part of the journey, then callers and operations."""
    names = [f"app.{part}.routes" for part in _PARTS] + ["app.fhir.capability", "app.openapi.docs"]
    return [import_module(name).router for name in names if find_spec(name)]
