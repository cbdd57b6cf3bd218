"""Limits what a client learns by asking first (spec.md 4): members a day, and misses an hour.

A miss is a CIN that identified nobody: it was sent with another birth date, or is unknown. Who has
used up either limit is refused before anything is looked up, so that the refusal tells nothing of a
member. The staff of the member's own plan are not counted; which plan that is turns out by the
answer, so theirs is counted before it leaves. Members are kept as a keyed hash.

From half of a limit on each question raises an alarm: a line in the log, and a metric.
"""

import logging
import time

from prometheus_client import Counter

from app.api.deployment import Deployment
from app.api.limits import Limits
from app.base.errors import Refusal, refuse
from app.model.caller import Caller
from app.store.limits import QuestionTaken, Quota, ask_about, take

_log = logging.getLogger(__name__)
_ALARMS = Counter(
    "nwd_fishing_alarms_total",
    "Questions of a client that has used more than half of its misses or members",
    ["client", "limit"],
)


class Questions:
    """Counts the questions of one request."""

    def __init__(self, parts: Deployment, caller: Caller) -> None:
        self._database = parts.database
        self._limits: Limits = parts.limits
        self._caller = caller

    async def before(self, cin: str) -> None:
        """Counts a CIN that is to be looked up. Raises 429 beyond a limit."""
        if not self._caller.staff:
            await self._count(cin)

    async def after(self, cin: str, plan: str | None, member_id: str | None) -> None:
        """Counts a miss; of staff, who asks about another plan's member. Raises 429, too."""
        if self._caller.staff:
            if member_id is not None and plan == self._caller.plan:
                return
            await self._count(cin)
        if member_id is None:
            await self.missed()

    async def missed(self) -> None:
        """Counts a miss, and refuses nothing."""
        misses = self._limits.misses
        taken = await take(self._database, misses, self._caller.client_id, time.time())
        self._watch(misses, taken.left)

    async def _count(self, cin: str) -> None:
        members, misses = self._limits.members, self._limits.misses
        client = self._caller.client_id
        member = self._limits.hashed(f"{client}\0{cin}")
        asked = await ask_about(self._database, (members, misses), client, member, time.time())
        self._watch(members, asked.left)
        if asked.refused:
            raise _refusal(asked)

    def _watch(self, quota: Quota, left: int) -> None:
        used = quota.most - left
        if 2 * used > quota.most:
            client = self._caller.client_id
            _ALARMS.labels(client, quota.name).inc()
            _log.warning("fishing", extra={"client": client, "limit": quota.name, "count": used})


def _refusal(asked: QuestionTaken) -> Refusal:
    text = (
        "Too many different members were asked about, or too many were not identified, in a short "
        "time. Ask again when Retry-After says; a referral is taken at any time."
    )
    return refuse(429, "throttled", text, Retry_After=str(asked.wait_s))
