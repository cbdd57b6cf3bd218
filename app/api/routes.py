"""Every router of the service, in the order in which the contract shows them."""

from fastapi import APIRouter

from app.api import (
    capability,
    capacity,
    carried,
    catalog,
    correspondence,
    deliveries,
    directory,
    explanation,
    forms,
    health,
    proposals,
    reports,
    subscription_operations,
    timeline,
)
from app.api import decisions as decision
from app.api import read_routes as reading
from app.api import referrals as intake
from app.api import subscriptions as subscription
from app.api import tasks as service
from app.api import tokens as caller
from app.api import webhook_routes as notification
from app.api import work_queue as workqueue
from app.api.contract import docs


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
