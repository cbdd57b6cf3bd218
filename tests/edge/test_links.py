"""References in every form, and the links of a transaction: which are put right, which are none."""

import pytest

from app.fhir.bundle import read_bundle
from app.fhir.r4.check import check_resource
from app.fhir.reference import Place, id_of, place_of, rewrite_references, type_in, unversioned
from tests.edge.test_bundle import bundle, patient, referral

BASE = "https://us.example/fhir"
URN = "urn:uuid:44444444-4444-4444-8444-444444444444"
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


@pytest.mark.parametrize(
    ("literal", "place"),
    [
        ("Patient/1", Place("Patient", "1")),
        ("Patient/1/_history/3", Place("Patient", "1")),
        (f"{BASE}/Patient/1", Place("Patient", "1")),
        (f"{BASE}/Patient/1/_history/3", Place("Patient", "1")),
        ("https://other.example/fhir/Patient/1", None),
        ("Patient?identifier=x|1", None),
        ("Patient/1/_history/", None),
        ("#p", None),
        (URN, None),
        ("", None),
        (None, None),
    ],
)
def test_a_reference_names_a_resource_of_ours(literal, place):
    assert place_of(literal, BASE) == place
    assert id_of(literal, "Patient", BASE) == (place.id if place else None)
    assert id_of(literal, "Task", BASE) is None


def test_a_version_is_left_out_wherever_the_resource_is():
    for literal in ("Patient/1", "https://other.example/Patient/1", "#p", URN, "x/_history/ 1"):
        assert unversioned(literal) == literal
    assert unversioned("https://other.example/Patient/1/_history/2") == (
        "https://other.example/Patient/1"
    )


@pytest.mark.parametrize(
    ("literal", "kind"),
    [
        ("https://other.example/fhir/Organization/1/_history/2", "Organization"),
        ("Organization?identifier=x|1", "Organization"),
        ("URN:uuid:1", None),
        ("#p", None),
        (None, None),
    ],
)
def test_a_reference_tells_a_type(literal, kind):
    assert type_in(literal) == kind


def linked(**more):
    return {"resourceType": "DocumentReference", "status": "current", "content": [], **more}


TO = {URN: "Observation/9"}
EXTENSION = "http://x.example/e"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"content": [{"attachment": {"url": URN}}]},
         {"content": [{"attachment": {"url": "NEW"}}]}),
        *(
            ({"extension": [{"url": EXTENSION, f"value{kind}": URN}]},
             {"extension": [{"url": EXTENSION, f"value{kind}": new}]})
            for kind, new in (("Uri", "NEW"), ("Url", "NEW"), ("Uuid", "NEW"), ("Canonical", URN),
                              ("String", URN), ("Code", URN), ("Markdown", URN))
        ),
        ({"extension": [{"url": URN, "valueBoolean": True}]},
         {"extension": [{"url": URN, "valueBoolean": True}]}),
        ({"identifier": [{"system": URN, "value": URN}]},
         {"identifier": [{"system": "NEW", "value": URN}]}),
        ({"identifier": [{"system": URN + "0"}]}, {"identifier": [{"system": URN + "0"}]}),
        ({"description": URN}, {"description": URN}),
        ({"subject": {"reference": URN, "display": URN}},
         {"subject": {"reference": "NEW", "display": URN}}),
        ({"meta": {"profile": [URN], "source": URN}},
         {"meta": {"profile": [URN], "source": "NEW"}}),
        ({"contained": [{"resourceType": "Task", "instantiatesUri": URN}]},
         {"contained": [{"resourceType": "Task", "instantiatesUri": "NEW"}]}),
        ({"contained": [{"resourceType": "ActivityDefinition", "library": [URN],
                         "_name": {"extension": [{"url": EXTENSION, "valueUri": URN}]}}]},
         {"contained": [{"resourceType": "ActivityDefinition", "library": [URN],
                         "_name": {"extension": [{"url": EXTENSION, "valueUri": "NEW"}]}}]}),
    ],
)  # fmt: skip
def test_links_are_put_right_by_the_type_of_their_element(sent, kept):
    rewritten = rewrite_references(linked(**sent), TO)
    expected = repr(linked(**kept)).replace("NEW", TO[URN])
    assert repr(rewritten) == expected


@pytest.mark.parametrize(
    ("inside", "kept"),
    [
        (f'<a href="{URN}">it</a>', '<a href="NEW">it</a>'),
        (f"<a title='>' href = '{URN}'>it</a>", "<a title='>' href = \"NEW\">it</a>"),
        (f'<img alt="é" src="{URN}"/>', '<img alt="é" src="NEW"/>'),
        (f'<a title=\' href="{URN}"\' href="#a">{URN}</a>', None),
        (f'<!-- <a href="{URN}">x</a> --><p>href="{URN}"</p>', None),
        (f'<p title="{URN}">x</p><q cite="{URN}">x</q>', None),
        (f'<a href="{URN.upper()}">x</a>', None),
    ],
)
def test_links_of_a_narrative(inside, kept):
    text = f"<div {XHTML}>é {inside}</div>"
    expected = text if kept is None else f"<div {XHTML}>é {kept.replace('NEW', TO[URN])}</div>"
    sent = linked(text={"status": "generated", "div": text})
    assert rewrite_references(sent, TO)["text"]["div"] == expected
    assert sent["text"]["div"] == text


@pytest.mark.parametrize(
    "inside",
    [
        f'<a href="{URN}">it</a>',
        '<img alt="x" src="image.png"/>',
        '<img alt="x" src="https://elsewhere.example/a.png"/>',
        '<img alt="x" src="data:image/svg+xml;base64,PHN2Zy8+"/>',
        "<p style=\"background: url('tbl.png')\">x</p>",
        '<p style="content: \\201C">x</p>',
    ],
)
def test_what_a_narrative_links_and_shows_is_valid_r4(inside):
    div = f"<div {XHTML}>{inside}</div>"
    text = {"status": "generated", "div": div}
    assert check_resource({"resourceType": "Basic", "code": {"text": "x"}, "text": text}) == []


def test_what_is_no_xml_stays_and_costs_nothing():
    div = "<a '" * 100_000
    assert rewrite_references(linked(text={"div": div}), TO)["text"]["div"] == div


@pytest.mark.parametrize("base", ["", "https://h.example/"])
def test_a_version_in_a_transaction_is_assigned_anew(base):
    literal = base + "Patient/1/_history/3"
    own, full_url = "https://h.example/ServiceRequest/2", "https://h.example/Patient/1"
    found, faults = read_bundle(bundle(patient(full_url), referral(literal, own)))
    assert faults == []
    mapping = found.mapping(found.service_request, {0: "Patient/new", 1: "ServiceRequest/new"})
    request = rewrite_references(found.service_request.resource, mapping)
    assert request["subject"] == {"reference": "Patient/new"}


@pytest.mark.parametrize("change", [str.upper, str.title, lambda text: "URN" + text[3:]])
def test_a_urn_in_other_letters_is_named(change):
    name = "urn:uuid:aaaaaaaa-4444-4444-8444-444444444444"
    _, (fault,) = read_bundle(bundle(patient(name), referral(change(name))))
    assert fault.code == "not-found"
    assert fault.expression == "Bundle.entry[1].resource.subject.reference"
    assert "capital and small letters" in fault.diagnostics
