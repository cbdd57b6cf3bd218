"""`/v1/webhook-endpoints`: an organization's own endpoints, their messages and attempts."""

from fastapi import APIRouter

from app.api import webhook_messages as follow
from app.api import webhooks as manage

router = APIRouter()
router.routes.extend([*manage.router.routes, *follow.router.routes])
