"""The staff's outbox: who is written to, in which language, and what becomes of a letter."""

import pytest

from tests.clocks.scene import at
from tests.journeys.payloads import (
    CIN,
    EXTRA,
    a_member,
    a_referral,
    because,
    example,
    hopeless,
    incomplete,
    parameters,
    visits_before,
)

SELF = {"requester": {"reference": "#patient"}}
AUNT = {
    "resourceType": "RelatedPerson",
    "id": "aunt",
    "patient": {"reference": "#patient"},
    "name": [{"given": ["Berta"], "family": "Beispiel"}],
    "address": [{"line": ["5 Example Court"], "city": "Daly City", "state": "CA"}],
}
OFFICE = {
    "resourceType": "Practitioner",
    "id": "office",
    "name": [{"text": "Dr. Office <Example>"}],
    "telecom": [{"system": "fax", "value": "650-555-0199"}],
}
CAREADVANTAGE, SPANISH, HMONG = "9000002XA", "9000012XA", "9000011XA"


async def outbox(service, by="staff-hpsm", **params):
    answer = await service.ask(by, "GET", "/v1/correspondence", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def letters(service, referral, by="staff-hpsm"):
    """recipient → the piece of correspondence, of one referral."""
    items = (await outbox(service, by, referral=referral))["items"]
    return {item["recipient"]: item for item in items}


async def printed(service, item, by="staff-hpsm"):
    """The letter as a page."""
    answer = await service.ask(by, "GET", item["links"]["letter"], headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def marked(service, item, body, by="staff-hpsm"):
    json = {"Content-Type": "application/json"}
    return await service.ask(by, "POST", item["links"]["mark_sent"], body, headers=json)


async def test_a_denied_member_gets_a_notice_that_staff_print_and_mail(service):
    referral = await service.refer(a_referral(CAREADVANTAGE))
    told = await letters(service, referral)
    assert {name: item["status"] for name, item in told.items()} == {
        "requesting": "to-send",
        "servicing": "skipped",
        "member": "to-send",
    }
    notice = told["member"]
    page = await printed(service, notice)
    for words in (
        "Bruno Fixturelli",
        "102 Example Street",
        "Notice of action: denial",
        "CareAdvantage members do not qualify for ECM",
        "State Hearing",
        "published rules decided this.",
    ):
        assert words in page, words
    pdf = await service.ask("staff-hpsm", "GET", notice["links"]["pdf"])
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")

    service.later(hours=1)
    answer = await marked(service, notice, {"how": "mail", "note": "First class."})
    assert answer.status_code == 200, answer.text
    sent = answer.json()
    assert (sent["status"], sent["how"], sent["sent_by"]) == ("sent", "mail", "staff-hpsm")
    assert sent["links"]["mark_sent"] is None
    body = await service.read("Communication", notice["id"], "staff-hpsm")
    assert (body["status"], body["meta"]["versionId"]) == ("completed", "2")
    assert body["medium"][0]["coding"][0]["code"] == "MAILWRIT"
    assert "note" not in body  # other parties read it
    assert (await letters(service, referral))["member"]["note"] == "First class."
    assert body["sent"] == body["meta"]["lastUpdated"]
    assert body["topic"]["coding"][0]["code"] == "denied"
    assert body["subject"]["identifier"]["value"] == CAREADVANTAGE
    assert await printed(service, notice) == page
    again = await marked(service, notice, {"how": "fax"})
    assert again.status_code == 409


async def test_what_is_skipped_has_no_letter_and_cannot_be_sent(service):
    referral = await service.refer(a_referral(CAREADVANTAGE))
    skipped = (await letters(service, referral))["servicing"]
    assert skipped["reason"] == "No servicing provider is assigned."
    assert skipped["links"]["letter"] is None
    path = f"/v1/correspondence/{skipped['id']}"
    for method, end, status in (("GET", "/letter", 404), ("GET", "/letter.pdf", 404)):
        assert (await service.ask("staff-hpsm", method, path + end)).status_code == status
    json = {"Content-Type": "application/json"}
    answer = await service.ask("staff-hpsm", "POST", f"{path}/sent", {"how": "hand"}, headers=json)
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("cin", "words"),
    [
        (SPANISH, ["Luis Ejemplo", "Aviso de acción: denegación", 'lang="es"', "20 de noviembre"]),
        (HMONG, ["Kalia Samplexiong", "Ntawv ceeb toom: tsis pom zoo", 'lang="hmn"']),
    ],
)
async def test_the_notice_is_in_the_language_of_the_roster(service, cin, words):
    referral = await service.refer(a_referral(cin, plan="HPSJ", service="TR"))
    if await service.words(referral) != ["denied"]:
        because_ = parameters(reason=because("service-criteria-not-met"))
        answer = await service.do("staff-hpsj", "deny", referral, because_)
        assert answer.status_code == 200, answer.text
    told = await letters(service, referral, "staff-hpsj")
    page = await printed(service, told["member"], "staff-hpsj")
    for each in words:
        assert each in page, each
    assert 'lang="en"' in await printed(service, told["requesting"], "staff-hpsj")


async def test_the_language_that_the_referral_states_comes_first(service):
    body = a_referral(CAREADVANTAGE)
    body["contained"][0]["communication"] = [
        {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es-MX"}]}}
    ]
    told = await letters(service, await service.refer(body))
    assert 'lang="es"' in await printed(service, told["member"])


async def test_an_organization_with_an_endpoint_needs_no_letter(service, receiver):
    await service.listen(receiver, "hospital", "hook")
    referral = await service.refer(a_referral())
    told = await letters(service, referral)
    assert (told["requesting"]["status"], told["requesting"]["how"]) == ("sent", "endpoint")
    assert (told["servicing"]["status"], told["servicing"]["organization"]) == (
        "to-send",
        "org-tidepool",
    )
    body = await service.read("Communication", told["requesting"]["id"])
    assert body["status"] == "completed"
    assert body["medium"][0]["coding"][0]["code"] == "ELECTRONIC"
    assert "Authorization" in body["payload"][0]["contentString"]
    later = await service.do("staff-hpsm", "cancel", referral)
    assert later.status_code == 200, later.text
    items = (await outbox(service, referral=referral, outcome="cancelled"))["items"]
    assert {item["recipient"]: item["status"] for item in items} == {
        "requesting": "sent",
        "servicing": "to-send",
    }


async def test_a_message_that_never_arrived_shows_as_failed_and_becomes_a_letter(service, receiver):
    await service.listen(receiver, "hospital", "hook")
    referral = await service.refer(a_referral())
    assert (await outbox(service, status="failed"))["items"] == []
    await service.store.execute("UPDATE delivery SET state = 'dead'")
    (failed,) = (await outbox(service, status="failed"))["items"]
    assert (failed["referral"], failed["recipient"]) == (referral, "requesting")
    assert "requesting" not in [
        item["recipient"] for item in (await outbox(service, status="sent"))["items"]
    ]
    assert "approved" in await printed(service, failed)
    answer = await marked(service, failed, {"how": "fax"})
    assert (answer.json()["status"], answer.json()["how"]) == ("sent", "fax")
    assert (await outbox(service, status="failed"))["items"] == []


async def test_a_later_delivery_heals_what_had_failed(service, receiver):
    await service.listen(receiver, "hospital", "hook")
    await service.refer(a_referral())
    await service.store.execute("UPDATE delivery SET state = 'held'")
    assert len((await outbox(service, status="failed"))["items"]) == 1
    await service.store.execute("UPDATE delivery SET state = 'delivered'")
    assert (await outbox(service, status="failed"))["items"] == []


async def test_a_member_who_asks_is_written_to_at_every_outcome(service):
    body = incomplete(**SELF)
    referral = await service.refer(body, by="staff-hpsm")
    assert await service.words(referral, "staff-hpsm") == ["pending", "information-needed"]
    told = await letters(service, referral)
    assert {name: item["status"] for name, item in told.items()} == {"member": "to-send"}
    page = await printed(service, told["member"])
    assert "by December 1, 2026. We will ask you some questions on the phone." in page
    assert "What to have ready when you call" in page
    assert "Do you" not in page  # no question of a form, in writing
    body = await service.read("Communication", told["member"]["id"], "staff-hpsm")
    (said,) = [part["contentString"] for part in body["payload"]]
    assert said.endswith("waiting for information. Please call the plan by 2026-12-01.")
    await service.do("staff-hpsm", "cancel", referral)
    items = (await outbox(service, referral=referral, outcome="cancelled"))["items"]
    assert [item["recipient"] for item in items] == ["member"]


async def test_a_letter_goes_where_the_roster_has_only_a_town_to_the_address_of_the_referral(
    service,
):
    await homeless(service, EXTRA[38])
    body = hopeless(EXTRA[38], **SELF)
    patient = body["contained"][0]
    patient["name"] = [{"family": "Ejemplo", "given": ["Ana"]}]
    patient["address"] = [{"line": ["7 Example Lane"], "city": "Pacifica", "state": "CA"}]
    patient["telecom"] = [{"system": "phone", "value": "650-555-0133"}]
    referral = await service.refer(body, by="staff-hpsm")
    given = parameters(reason=because("exception-granted"), note="Her clinician knows her.")
    assert (await service.do("staff-hpsm", "approve", referral, given)).status_code == 200
    told = await letters(service, referral)
    member = await printed(service, told["member"])
    assert "Ana Ejemplo\n7 Example Lane\nPacifica, CA" in member
    performer = await printed(service, told["servicing"])
    assert "Member: Ana Ejemplo, 7 Example Lane, Pacifica, CA. Phone: 650-555-0133" in performer
    assert "<dt>Member number</dt><dd>9100038XA</dd>" in performer


async def approved_for_another_office(service, **patient):
    """recipient → its letter, about a member of whom the roster knows name, address and phone."""
    body = hopeless("9000003XA", requester={"reference": "#office"})
    body["contained"].append(OFFICE)
    body["contained"][0] |= patient
    referral = await service.refer(body, by="staff-hpsm")
    given = parameters(reason=because("exception-granted"), note="Her clinician knows her.")
    assert (await service.do("staff-hpsm", "approve", referral, given)).status_code == 200
    told = await letters(service, referral)
    return {who: await printed(service, item) for who, item in told.items()}


async def test_only_the_member_is_told_how_the_roster_knows_them(service):
    """Anybody else's letter has the name, address and phone as they were sent."""
    phone = {"system": "phone", "value": "650-555-0134"}
    pages = await approved_for_another_office(
        service, name=[{"text": "C. Placer"}], telecom=[phone]
    )
    assert "Carmen Placeholder\n103 Example Street" in pages["member"]
    assert "C. Placer" not in pages["member"]
    for who in ("requesting", "servicing"):
        assert "C. Placer" in pages[who]
        assert "Carmen" not in pages[who]
    assert "Member: C. Placer. Phone: 650-555-0134" in pages["servicing"]


async def test_a_member_sent_without_a_name_has_none_in_the_letters_of_others(service):
    pages = await approved_for_another_office(service)
    for who in ("requesting", "servicing"):
        assert not [known for known in ("Carmen", "103 Example", "555-0203") if known in pages[who]]
        assert "<dt>Member number</dt><dd>9000003XA</dd>" in pages[who]


async def test_who_is_not_known_is_asked_who_they_are(service):
    """An old fault: the letter and the queue asked nothing, as no fact of a form was missing."""
    referral = await service.refer(example("05"), by="staff-hpsm")
    (letter,) = (await letters(service, referral)).values()
    page = await printed(service, letter)
    assert "Your member card. It shows your member number." in page
    item = await service.ask("staff-hpsm", "GET", f"/v1/work-queue/{referral}")
    (question,) = item.json()["questions"]
    assert question["question"].startswith("Who is the member?")


async def test_a_letter_keeps_the_number_that_was_known_when_the_member_is_found_later(service):
    referral = await service.refer(a_referral("8888888XA", plan=None))
    (before,) = (await letters(service, referral)).values()
    page = await printed(service, before)
    assert "8888888XA" in page
    found = {"resourceType": "Patient", "birthDate": "1980-02-03"}
    found["identifier"] = [{"system": CIN, "value": EXTRA[0]}]
    told = parameters(resource={"resource": found})
    assert (await service.do("hospital", "add-information", referral, told)).status_code == 200
    assert await printed(service, before) == page
    assert (await outbox(service, "staff-hpsj", referral=referral))["items"] == []


async def released(service, item, note="She told us so herself.", by="staff-hpsm"):
    json = {"Content-Type": "application/json"}
    path = f"/v1/correspondence/{item['id']}/release"
    return await service.ask(by, "POST", path, {"note": note}, headers=json)


async def homeless(service, cin):
    """The roster has no address of this member, and says where they are by county alone."""
    roster, _ = a_member(cin)
    roster["address"] = [{"district": "San Mateo", "state": "CA"}]
    path = f"/fhir/Patient/{roster['id']}"
    assert (await service.ask("staff-hpsm", "PUT", path, roster)).is_success


async def test_a_notice_goes_to_an_address_of_the_referrals_once_a_person_has_released_it(service):
    """Whoever has a number could have the member's decisions sent to themselves."""
    await homeless(service, EXTRA[36])
    body = a_referral(EXTRA[36])
    patient = body["contained"][0]
    patient["address"] = [{"line": ["7 Example Lane"], "city": "Pacifica", "state": "CA"}]
    patient["telecom"] = [{"system": "phone", "value": "650-555-0133"}]
    notice = (await letters(service, await service.refer(body)))["member"]
    assert notice["status"] == "waiting"
    assert notice["reason"].startswith("Only the referral states where to send it.")
    assert notice["links"]["mark_sent"] is None
    assert [i["id"] for i in (await outbox(service, status="waiting"))["items"]] == [notice["id"]]
    before = await printed(service, notice)
    assert not [found for found in ("7 Example Lane", "650-555-0133") if found in before]
    at_once = {"links": {"mark_sent": f"/v1/correspondence/{notice['id']}/sent"}}
    assert (await marked(service, at_once, {"how": "mail"})).status_code == 409
    for note in ("", "Write your own reason here."):
        assert (await released(service, notice, note)).status_code == 422
    assert (await released(service, notice, by="staff-hpsj")).status_code == 404
    assert (await released(service, notice, by="hospital")).status_code == 403
    answer = await released(service, notice)
    assert answer.status_code == 200, answer.text
    now = answer.json()
    assert (now["status"], now["released_by"], now["release_note"]) == (
        "to-send",
        "staff-hpsm",
        "She told us so herself.",
    )
    assert "7 Example Lane\nPacifica, CA" in await printed(service, notice)
    assert (await released(service, notice)).status_code == 409
    assert (await marked(service, now, {"how": "mail"})).status_code == 200
    assert "7 Example Lane" in await printed(service, notice)


async def test_what_waits_for_a_release_goes_when_the_roster_learns_the_address(service):
    await homeless(service, EXTRA[37])
    notice = (await letters(service, await service.refer(a_referral(EXTRA[37]))))["member"]
    assert notice["status"] == "waiting"
    roster, _ = a_member(EXTRA[37])
    stored = await service.read("Patient", roster["id"], "staff-hpsm")
    match = {"If-Match": f'W/"{stored["meta"]["versionId"]}"'}
    path = f"/fhir/Patient/{roster['id']}"
    assert (await service.ask("staff-hpsm", "PUT", path, roster, headers=match)).is_success
    (item,) = [i for i in (await outbox(service))["items"] if i["id"] == notice["id"]]
    assert item["status"] == "to-send"
    assert "1 Roster Street" in await printed(service, notice)


async def test_nothing_is_released_while_nobody_knows_who_the_member_is(service):
    body = a_referral("8888888XA", plan=None, requester={"reference": "#patient"})
    body["contained"][0]["address"] = [{"line": ["7 Example Lane"], "city": "Pacifica"}]
    told = await letters(service, await service.refer(body))
    assert told["member"]["status"] == "waiting"
    assert told["member"]["reason"].startswith("Nobody knows yet who the member is")
    answer = await released(service, told["member"])
    assert answer.status_code == 409
    assert "identify" in answer.text


async def test_a_family_that_a_client_names_is_written_to_once_released(service):
    body = incomplete(requester={"reference": "#aunt"})
    body["contained"].append(AUNT)
    items = (await outbox(service, referral=await service.refer(body)))["items"]
    (aunt,) = [item for item in items if item["organization"] is None]
    assert aunt["status"] == "waiting"
    assert "5 Example Court" not in await printed(service, aunt)
    assert (await released(service, aunt)).status_code == 200
    assert "5 Example Court" in await printed(service, aunt)


async def test_a_family_gets_its_letter_at_its_own_address(service):
    body = incomplete(requester={"reference": "#aunt"})
    body["contained"].append(AUNT)
    told = await letters(service, await service.refer(body, by="staff-hpsm"))
    page = await printed(service, told["requesting"])
    assert "Berta Beispiel\n5 Example Court\nDaly City, CA" in page


async def test_an_office_without_a_system_gets_its_letter_by_fax(service):
    body = hopeless(requester={"reference": "#office"})
    body["contained"].append(OFFICE)
    referral = await service.refer(body, by="staff-hpsm")
    reason = parameters(reason={"valueString": "A better service is <b>open</b>."})
    answer = await service.do("staff-hpsm", "deny", referral, reason)
    assert answer.status_code == 200, answer.text
    office = (await letters(service, referral))["requesting"]
    assert (office["status"], office["organization"]) == ("to-send", None)
    page = await printed(service, office)
    assert "Dr. Office &lt;Example&gt;\nFax: 650-555-0199" in page
    assert "A better service is &lt;b&gt;open&lt;/b&gt;." in page
    assert "A member of the staff of Health Plan of San Mateo decided this." in page
    answer = await marked(service, office, {"how": "fax"})
    assert answer.json()["how"] == "fax"


async def test_a_letter_to_a_performer_that_has_the_referral_no_more_is_not_sent(service):
    """An old fault: it waited in the outbox, and told who had declined to contact the member."""
    referral = await service.refer(a_referral(asks_for="org-tidepool"))
    before = (await letters(service, referral))["servicing"]
    waiting = len((await outbox(service, status="to-send"))["items"])
    (task,) = [t for t in await service.found("Task", "ecm-provider") if t.get("partOf")]
    task |= {"status": "rejected", "statusReason": {"text": "No room."}}
    match = {"If-Match": f'W/"{task["meta"]["versionId"]}"'}
    path = f"/fhir/Task/{task['id']}"
    assert (await service.ask("ecm-provider", "PUT", path, task, headers=match)).is_success
    items = (await outbox(service, referral=referral))["items"]
    told = {item["organization"]: item for item in items if item["recipient"] == "servicing"}
    assert told["org-foghorn"]["status"] == "to-send"
    gone = told["org-tidepool"]
    assert (gone["status"], gone["links"]["letter"]) == ("skipped", None)
    assert gone["reason"] == "The organization has the referral no more."
    answer = await service.ask("staff-hpsm", "GET", before["links"]["letter"])
    assert answer.status_code == 404
    assert (await marked(service, before, {"how": "mail"})).status_code == 409
    assert len((await outbox(service, status="to-send"))["items"]) == waiting
    assert [i["id"] for i in (await outbox(service, status="skipped"))["items"]] == [gone["id"]]
    queue = (await service.ask("staff-hpsm", "GET", "/v1/work-queue")).json()
    assert queue["counts"]["letters_to_send"] == waiting
    line = (await service.ask("hospital", "GET", f"/v1/referrals/{referral}/timeline")).json()
    texts = [entry["text"] for entry in line["entries"]]
    assert "Approved, to Tidepool Care Collaborative (fictional): not sent." in texts


async def test_what_staff_enter_for_nobody_is_skipped(service):
    told = await letters(service, await service.refer(incomplete(), by="staff-hpsm"))
    assert told["requesting"]["status"] == "skipped"


async def test_the_self_referral_of_the_examples_is_answered_by_letter(service):
    referral = await service.refer(example("05"), by="staff-hpsm")
    told = await letters(service, referral)
    assert told["member"]["status"] == "to-send"
    assert "<main>" in await printed(service, told["member"])


async def test_letters_are_for_the_staff_of_their_plan_alone(service):
    referral = await service.refer(a_referral(CAREADVANTAGE))
    notice = (await letters(service, referral))["member"]
    assert (await outbox(service, "staff-hpsj"))["items"] == []
    paths = [notice["links"][name] for name in ("self", "letter", "pdf")]
    for path in paths:
        assert (await service.ask("staff-hpsj", "GET", path)).status_code == 404
        assert (await service.ask("hospital", "GET", path)).status_code == 403
    assert (await marked(service, notice, {"how": "mail"}, "staff-hpsj")).status_code == 404
    assert (await marked(service, notice, {"how": "mail"}, "hospital")).status_code == 403
    assert (await service.ask("hospital", "GET", "/v1/correspondence")).status_code == 403
    wrong = await service.ask("staff-hpsm", "GET", "/v1/correspondence?plan=HPSJ")
    assert wrong.status_code == 404
    assert (await letters(service, referral))["member"]["status"] == "to-send"


async def test_the_outbox_is_paged_oldest_first(service):
    service.at("2025-06-02T10:00-07:00")
    now = service.clock.now()
    for cin in ("9100001XA", "9100002XA", "9100003XA"):
        await service.refer(a_referral(cin, visits=visits_before(now)))
        service.later(minutes=5)
    first = await outbox(service, status="to-send", limit=4)
    again = await service.ask("staff-hpsm", "GET", first["next"])
    assert again.status_code == 200, again.text
    items = first["items"] + again.json()["items"]
    assert again.json()["next"] is None
    assert [item["recipient"] for item in items] == ["requesting", "servicing"] * 3
    assert len({item["id"] for item in items}) == 6
    assert [item["created"] for item in items] == sorted(item["created"] for item in items)
    other = await service.ask("staff-ccah", "GET", first["next"])
    assert other.status_code == 400


@pytest.mark.parametrize(
    "params",
    [
        {"status": "lost"},
        {"outcome": "maybe"},
        {"limit": "0"},
        {"cursor": "made-up"},
        {"plan": "<>"},
        {"referral": "a b"},
    ],
)
async def test_odd_questions_are_answered_in_words(service, params):
    answer = await service.ask("staff-hpsm", "GET", "/v1/correspondence", params=params)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"how": "pigeon"}, 422),
        ({"how": "mail", "note": ""}, 422),
        ({"how": "mail", "x": 1}, 422),
        ([], 400),
    ],
)
async def test_odd_ways_of_sending_are_refused(service, body, status):
    referral = await service.refer(a_referral(CAREADVANTAGE))
    notice = (await letters(service, referral))["member"]
    answer = await marked(service, notice, body)
    assert answer.status_code == status
    assert (await letters(service, referral))["member"]["status"] == "to-send"


async def test_a_letter_stays_as_it_was_when_the_roster_changes(service):
    referral = await service.refer(a_referral(CAREADVANTAGE))
    notice = (await letters(service, referral))["member"]
    before = await printed(service, notice)
    service.later(hours=1)
    roster = await service.read("Patient", "member-02", "staff-hpsm")
    roster["name"] = [{"family": "Renamed"}]
    version = roster["meta"]["versionId"]
    changed = await service.ask(
        "staff-hpsm",
        "PUT",
        "/fhir/Patient/member-02",
        roster,
        headers={"If-Match": f'W/"{version}"'},
    )
    assert changed.status_code == 200, changed.text
    try:
        assert await printed(service, notice) == before
    finally:
        roster["name"] = [{"use": "official", "family": "Fixturelli", "given": ["Bruno"]}]
        back = await service.ask(
            "staff-hpsm",
            "PUT",
            "/fhir/Patient/member-02",
            roster,
            headers={"If-Match": changed.headers["etag"]},
        )
        assert back.status_code == 200, back.text


async def test_a_row_says_whose_letter_it_is_and_about_what(service):
    referral = await service.refer(a_referral(CAREADVANTAGE))
    notice = (await letters(service, referral))["member"]
    assert notice["member"] == {"cin": CAREADVANTAGE, "name": "Bruno Fixturelli"}
    assert (notice["service"], notice["service_name"]) == ("ECM", "Enhanced Care Management")
    assert (notice["answer_by"], notice["reminder"]) == (None, False)


async def test_what_is_to_send_is_one_list_oldest_first(service, receiver):
    """A message that never arrived waits for a person like a letter does."""
    await service.listen(receiver, "hospital", "hook")
    first = await service.refer(a_referral())
    await service.store.execute("UPDATE delivery SET state = 'dead'")
    service.later(minutes=5)
    second = await service.refer(a_referral(CAREADVANTAGE))
    items = (await outbox(service, status="unsent"))["items"]
    assert {item["status"] for item in items} == {"to-send", "failed"}
    assert {item["referral"] for item in items} == {first, second}
    assert [item["created"] for item in items] == sorted(item["created"] for item in items)
    sent = next(item for item in items if item["status"] == "to-send")
    assert (await marked(service, sent, {"how": "mail"})).status_code == 200
    left = (await outbox(service, status="unsent"))["items"]
    assert [item["id"] for item in left] == [i["id"] for i in items if i["id"] != sent["id"]]


async def test_the_reminder_is_another_letter_and_has_the_same_last_day(service):
    service.at("2025-06-02T10:00-07:00")
    referral = await service.refer(incomplete(**SELF), by="staff-hpsm")
    (first,) = (await outbox(service, referral=referral))["items"]
    assert await at(service, "2025-06-06T09:00-07:00") >= 1
    items = (await outbox(service, referral=referral))["items"]
    (second,) = [item for item in items if item["id"] != first["id"]]
    assert (first["reminder"], second["reminder"]) == (False, True)
    assert first["answer_by"] == second["answer_by"] is not None
    before, now = await printed(service, first), await printed(service, second)
    assert "<h1>We need more information</h1>" in before
    assert "<h1>Second letter: we still need more information</h1>" in now
    assert "June 9, 2025" in before
    assert "June 9, 2025" in now
    body = await service.read("Communication", second["id"], "staff-hpsm")
    assert "second time" in body["payload"][0]["contentString"]


async def test_the_notice_names_the_person_who_decided_and_no_client(service):
    referral = await service.refer(hopeless(**SELF), by="staff-hpsm")
    given = parameters(
        reason=because("no-population"), **{"decided-by": {"valueString": "Ada Example, RN"}}
    )
    answer = await service.do("staff-hpsm", "deny", referral, given)
    assert answer.status_code == 200, answer.text
    items = (await outbox(service, referral=referral, outcome="denied"))["items"]
    page = await printed(service, next(i for i in items if i["recipient"] == "member"))
    assert "Ada Example, RN, of Health Plan of San Mateo, decided this." in page
    assert "staff-hpsm" not in page


async def test_family_is_asked_to_call_and_no_clinical_question(service):
    body = incomplete(requester={"reference": "#aunt"})
    body["contained"].append(AUNT)
    told = (await letters(service, await service.refer(body, by="staff-hpsm")))["requesting"]
    page = await printed(service, told)
    assert "We will ask some questions about the member on the phone." in page
    assert "The names of the member&#39;s doctors, clinics and case workers." in page
    assert "Does the member" not in page
    communication = await service.read("Communication", told["id"], "staff-hpsm")
    (said,) = communication["payload"]
    assert "?" not in said["contentString"]
