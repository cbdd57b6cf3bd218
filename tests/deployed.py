"""The parts of an application, changed by a test, or started without its lifespan."""

from dataclasses import replace
from functools import cache

from app.api.deployment import Started, deploy, deployment_of
from app.journey.intake.context import rules
from app.policy.library import load_library
from app.store.audit.writer import RecordWriter
from app.store.database import Database


def start(app, database=None, library=None):
    """What the lifespan opens, of these, without hints to workers: they look by themselves."""
    settings = deployment_of(app).settings
    known = rules(settings, library or _library())
    database = database or Database(settings)
    change(app, started=Started(known, database, RecordWriter(database)))


@cache
def _library():
    return load_library()


def change(app, **parts):
    """Gives the application these parts instead of its own."""
    deploy(app, replace(deployment_of(app), **parts))
