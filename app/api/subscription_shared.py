"""What every Subscription route asks: the parts of the running service, and how it answers."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Request, Response

from app.api.deployment import deployment
from app.api.web.refusals import wrong_method
from app.base.errors import not_found
from app.fhir.outcome import FHIR_JSON
from app.fhir.reference import is_id
from app.journey.notification.secrets import Vault

PREFIX = "/fhir/Subscription"


async def _id(
    request: Request,
    id: Annotated[str, Path(max_length=64, description="The Subscription's id.")],
) -> str:
    """An id that FHIR allows; `_search` and `$status` are none, and take their own methods."""
    if not is_id(id):
        raise wrong_method(request.scope) or not_found("Subscription")
    return id


Id = Annotated[str, Depends(_id)]


def now_of(request: Request) -> datetime:
    """The time by the service's clock."""
    return deployment(request).clock.now()


def vault_of(request: Request) -> Vault:
    """What opens the stored headers and keys."""
    return Vault(deployment(request).settings)


def base_of(request: Request) -> str:
    """Our FHIR base URL."""
    return deployment(request).settings.fhir_base


def bundle(body: bytes) -> Response:
    """A Bundle that nobody on the way keeps."""
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=FHIR_JSON)
