"""Reports against a count of our own: made from what the API tells of each referral, not from rows.

Thirty made-up referrals live through five weeks, over the end of daylight saving, a holiday and the
end of months: decided by the rules and by people, late and in time, asked, answered, identified
later, taken back, and let go void.
"""

import random
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from app.base.local_time import local_date
from tests.journeys.payloads import (
    CIN,
    EXTRA,
    OURS,
    a_referral,
    because,
    hopeless,
    incomplete,
    parameters,
    responses,
    visits_before,
)

PERIODS = [("2026-10-01", "2026-10-31"), ("2026-11-01", "2026-11-30"), ("2026-10-11", "2026-12-31")]
SOURCES = ("hospital_facility", "member", "cbo", None)
EXCEPTION = {"reason": because("exception-granted"), "note": "Her clinician knows her."}


class Weeks:
    """What happens in the plan's offices, by dice that fall alike on every run."""

    def __init__(self, service):
        self.service, self.dice = service, random.Random(61)
        self.open, self.cins = [], iter(EXTRA)
        self.sources, self.senders = {}, {}

    async def pass_by(self):
        for week in range(5):
            for day in (0, 2, 5):
                self.service.at(f"2026-10-12T{self.dice.choice([0, 9, 13, 23]):02}:30-07:00")
                self.service.later(days=7 * week + day)
                await self.act()
                for _ in range(2):
                    await self.refer()

    async def refer(self):
        cin = next(self.cins, None)
        if cin is None:
            return
        make = self.dice.choice([a_referral, hopeless, hopeless, incomplete])
        by = self.dice.choice(["hospital", "practice", "staff-hpsm"])
        more = {"priority": "urgent"} if self.dice.random() < 0.4 else {}
        source = self.dice.choice(SOURCES) if make is not hopeless else None
        if make is a_referral:
            more["visits"] = visits_before(self.service.clock.now())
        if source:
            more["facts"] = {"referral_source": source}
        if by == "staff-hpsm":
            earlier = self.service.clock.now() - timedelta(hours=self.dice.randrange(300))
            url = f"{OURS}StructureDefinition/received"
            more["extension"] = [
                {"url": url, "valueDateTime": earlier.isoformat(" ", "seconds").replace(" ", "T")}
            ]
        unknown = make is a_referral and self.dice.random() < 0.3
        body = make("88" + cin[2:], plan=None, **more) if unknown else make(cin, **more)
        referral = await self.service.refer(body, by)
        self.sources[referral], self.senders[referral] = source or "not-stated", by
        self.open.append((referral, by, cin if unknown else None))

    async def act(self):
        for life in list(self.open):
            if self.dice.random() < 0.3 and await self.one(*life):
                self.open.remove(life)

    async def one(self, referral, by, cin):
        act = self.dice.choice(["deny", "approve", "add-information", "cancel", "void"])
        body = {
            "deny": parameters(reason=because("no-population")),
            "approve": parameters(**EXCEPTION),
        }.get(act)
        if act == "add-information":
            known = {"resourceType": "Patient", "birthDate": "1980-02-03"}
            known["identifier"] = [{"system": CIN, "value": cin}]
            facts = responses({}, visits_before(self.service.clock.now()))
            body = parameters(resource={"resource": known if cin else facts})
        answer = await self.service.do("staff-hpsm", act, referral, body)
        # 403: until its plan is known, staff may only say whose it is.
        assert answer.status_code in (200, 403, 409, 422), answer.text
        return answer.status_code == 200


async def told(service, referral, by):
    """One referral as the API tells its sender: its timeline, and its decisions by the Task."""
    line = (await service.ask(by, "GET", f"/v1/referrals/{referral}/timeline")).json()
    versions = await service.found(f"Task/{referral}/_history?_count=100", by)
    versions.sort(key=lambda version: int(version["meta"]["versionId"]))
    moves, before = [], "pending"
    for version in versions:
        state = version["businessStatus"]["coding"][0]["code"]
        if state != before:
            codes = {one["code"] for one in version.get("statusReason", {}).get("coding", ())}
            moves.append((moment(version["meta"]["lastUpdated"]), before, state, codes))
        before = state
    clock = next(clock for clock in line["clocks"] if clock["name"] == "decision")
    return {
        "id": referral,
        "plan": line["plan"],
        "track": "expedited" if line["urgent"] else "standard",
        "received": moment(line["received"]),
        "due": moment(clock["due"]),
        "state": line["state"],
        "moves": moves,
    }


def moment(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def decided(lives, track, within):
    """(hours, in time, outcome) of every decision of a track in a period."""
    return [
        ((at - life["received"]).total_seconds() / 3600, at <= life["due"], state)
        for life in lives
        for at, before, state, _ in life["moves"]
        if before == "pending" and state in ("approved", "denied")
        if life["track"] == track and within(at)
    ]


def rounded(number, by=1):
    return None if number is None else pytest.approx(number / by, abs=0.006)


async def check_decisions(report, lives, within):
    timeliness, figures = await report("timeliness"), await report("cms-0057-f")
    for row, figure in zip(timeliness, figures, strict=True):
        made = decided(lives, row["track"], within)
        hours = [each for each, _, _ in made]
        average = statistics.mean(hours) if hours else None
        median = statistics.median(hours) if hours else None
        assert (row["decided"], row["in_time"]) == (len(made), sum(each[1] for each in made))
        assert row["late"] == row["decided"] - row["in_time"]
        assert (row["average_hours"], row["median_hours"]) == (rounded(average), rounded(median))
        assert row["longest_hours"] == rounded(max(hours, default=None))
        approved = sum(each[2] == "approved" for each in made)
        assert (figure["requests"], figure["approved"]) == (len(made), approved)
        assert figure["denied"] == len(made) - approved
        days = (rounded(average, 24), rounded(median, 24))
        assert (figure["average_days"], figure["median_days"]) == days


async def test_the_reports_are_what_one_counts_from_the_api(service):
    weeks = Weeks(service)
    await weeks.pass_by()
    service.later(days=20)
    everyone = [await told(service, *sent) for sent in weeks.senders.items()]
    assert {"HPSM", "unassigned"} == {life["plan"] for life in everyone}
    assert {"approved", "denied", "cancelled", "pending", "void"} == {
        life["state"] for life in everyone
    }
    for plan in ("HPSM", "unassigned"):
        lives = [life for life in everyone if life["plan"] == plan]
        for first, last in PERIODS:

            def within(at, first=first, last=last):
                return first <= local_date(at).isoformat() <= last

            async def report(name, days=(plan, first, last)):
                params = dict(zip(("plan", "from", "to"), days, strict=True))
                answer = await service.ask(
                    "staff-hpsm", "GET", f"/v1/reports/{name}", params=params
                )
                return answer.json()["rows"]

            await check_decisions(report, lives, within)
            received = [life for life in lives if within(life["received"])]
            states = Counter(life["state"] for life in received)
            told_of = sum(
                (Counter({s: row[s] for s in states}) for row in await report("outcomes")),
                Counter(),
            )
            assert told_of == states
            sources = Counter(weeks.sources[life["id"]] for life in received)
            rows = await report("sources")
            assert (
                sum((Counter({row["source"]: row["referrals"]}) for row in rows), Counter())
                == sources
            )
            reasons = Counter(
                (state, code)
                for life in lives
                for at, _, state, codes in life["moves"]
                if state != "pending" and within(at)
                for code in codes
            )
            assert {
                (r["outcome"], r["reason"]): r["referrals"] for r in await report("reasons")
            } == reasons
