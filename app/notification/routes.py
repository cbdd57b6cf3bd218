"""`/v1/webhook-endpoints`: an organization's own endpoints, their messages and attempts."""

from fastapi import APIRouter

from app.notification import follow, manage

router = APIRouter()
router.routes.extend([*manage.router.routes, *follow.router.routes])
