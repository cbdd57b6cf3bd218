"""Every router of the service, in the order in which the contract shows them."""

from fastapi import APIRouter

from app.caller import routes as caller
from app.capacity import routes as capacity
from app.catalog import routes as catalog
from app.correspondence import routes as correspondence
from app.decision import routes as decision
from app.deliveries import routes as deliveries
from app.directory import proposals
from app.directory import routes as directory
from app.explanation import routes as explanation
from app.fhir import capability
from app.forms import routes as forms
from app.health import routes as health
from app.intake import routes as intake
from app.notification import routes as notification
from app.openapi import docs
from app.reading import carried
from app.reading import routes as reading
from app.reports import routes as reports
from app.service import routes as service
from app.subscription import operations as subscription_operations
from app.subscription import routes as subscription
from app.timeline import routes as timeline
from app.workqueue import routes as workqueue


def routers() -> list[APIRouter]:
    """The routers of the journey's parts, then callers and operations."""
    parts = (
        intake,
        decision,
        service,
        explanation,
        workqueue,
        correspondence,
        timeline,
        reports,
        reading,
        carried,
        capacity,
        directory,
        proposals,
        forms,
        catalog,
        notification,
        deliveries,
        subscription_operations,  # `$status` before ids
        subscription,
        caller,
        health,
        capability,
        docs,
    )
    return [part.router for part in parts]
