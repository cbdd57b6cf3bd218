"""The request context, which the stages get instead of the HTTP request."""

from fastapi import Request

from app.api.deployment import deployment
from app.fhir.bundle import MEDIA_TYPES
from app.journey.intake.context import RequestContext
from app.model.caller import Caller
from app.store.referral.draft import Actor


def request_context(request: Request, caller: Caller) -> RequestContext:
    """The rules, the time and the caller of this request."""
    parts = deployment(request)
    actor = Actor(
        caller.client_id,
        caller.organization_id,
        request.state.request_id,
        request.state.correlation_id,
    )
    return RequestContext(
        rules=parts.rules,
        now=parts.clock.now(),
        actor=actor,
        fhir_base=parts.settings.fhir_base,
        plan=caller.plan if caller.staff else None,
        documents=(*MEDIA_TYPES, *parts.settings.document_types),
    )
