"""Every router of the service, in the order in which the contract shows them."""

from fastapi import APIRouter

from app.api import (
    audit,
    capability,
    capacity,
    carried,
    catalog,
    clients,
    correspondence,
    decisions,
    deliveries,
    directory,
    explanation,
    forms,
    health,
    proposals,
    reads,
    referrals,
    reports,
    subscription_operations,
    subscriptions,
    tasks,
    timeline,
    tokens,
    webhook_messages,
    webhooks,
    work_queue,
)
from app.api.contract import docs


def routers() -> list[APIRouter]:
    """The routers of the journey's parts, then callers and operations."""
    parts = (
        referrals,
        decisions,
        tasks,
        explanation,
        work_queue,
        correspondence,
        timeline,
        reports,
        reads,
        audit,
        carried,
        capacity,
        directory,
        proposals,
        forms,
        catalog,
        webhooks,
        webhook_messages,
        deliveries,
        subscription_operations,  # before `subscriptions`, whose `{id}` would match `$status`
        subscriptions,
        tokens,
        clients,
        health,
        capability,
        docs,
    )
    return [part.router for part in parts]
