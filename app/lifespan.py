"""What a service process opens before its first request and closes after its last."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI

from app.api.deployment import Started, deploy, deployment_of
from app.base.aside import share_turns
from app.base.logs import configure
from app.fhir.diagnoses import load_diagnoses
from app.fhir.hcpcs import load_hcpcs
from app.fhir.r4.tables import warm
from app.journey.intake.context import rules
from app.journey.notification.wake import Waker
from app.policy.library import FILES, load_library
from app.policy.switches import read_choice
from app.store.clients import register_demonstration
from app.store.database import begin, create_engine
from app.store.waiting import wait_for_database

#: What referrals are made of: compiled before the first of them comes.
COMMON = (
    "ServiceRequest",
    "Bundle",
    "Patient",
    "Coverage",
    "Organization",
    "QuestionnaireResponse",
    "Condition",
    "Encounter",
    "Observation",
    "Task",
    "Parameters",
    "HealthcareService",
)

#: Allocations before a pass of the garbage collector. A referral makes some thousand objects that
#: all die with its request, nearly all without the collector's help.
_COLLECT_AFTER = (50_000, 20, 20)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Logs, engine, policies, waker; the demonstration's clients where the settings say so."""
    parts = deployment_of(app)
    settings = parts.settings
    configure(settings.log_level)
    settings.require_token_secret()
    files = Path(settings.policy_path) if settings.policy_path else FILES
    library = load_library(files, read_choice(settings.policy_switches))
    known = rules(settings, library)
    warm(COMMON)
    share_turns()
    load_diagnoses()
    load_hcpcs()
    engine, waker = create_engine(settings), Waker(settings)
    deploy(app, replace(parts, started=Started(known, engine, waker)))
    try:
        await wait_for_database(engine, settings.database_start_wait_s)
        if settings.demonstration:
            async with begin(engine) as connection:
                await register_demonstration(connection, parts.clock.now())
        # What is alive now stays: the collector need not look at it again on every pass.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        yield
    finally:
        await waker.close()
        await engine.dispose()
