"""Reads a transaction Bundle as the resources of one referral, and checks inline documents.

Bundle: the entries, and the references between them. The journey makes the ids, stores the entries
and answers with a transaction-response. The input has passed the R4 checker; still every function
here accepts any JSON value.

Inline documents: their largest size and their media types (spec.md 7: 413; inline attachments up to
3.5 MB decoded). The content behind a URL is never fetched. Documents are for people: no rule reads
their content.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.base.errors import Issue
from app.fhir.r4.path import Path, render
from app.fhir.reference import names_within

#: Types that an EHR sends along and no rule reads, without the types that have own searches.
CARRIED = (
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Device",
    "DiagnosticReport",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Goal",
    "Immunization",
    "Location",
    "Medication",
    "MedicationRequest",
    "MedicationStatement",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "RelatedPerson",
    "RiskAssessment",
)
_OTHER_CASE = (
    "An entry of this Bundle has this fullUrl in other capital and small letters. Write the two "
    "alike: R4 compares addresses letter by letter, and a urn:uuid is in lower case."
)
#: More entries than any referral has; the limit bounds the work of one request.
MAX_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One resource to create; other entries refer to the resource by its `full_url`."""

    index: int
    resource: dict[str, Any]
    full_url: str | None = None
    if_none_exist: str | None = None

    @property
    def type(self) -> str:
        return str(self.resource.get("resourceType"))


@dataclass(frozen=True, slots=True)
class BundleSubmission:
    """The entries of a Bundle in order; exactly one of them is the ServiceRequest."""

    entries: tuple[BundleEntry, ...]
    service_request: BundleEntry
    #: fullUrl → index of the entry.
    by_url: Mapping[str, int] = field(default_factory=dict)

    def mapping(self, entry: BundleEntry, names: Mapping[int, str]) -> dict[str, str]:
        """Map each link that `entry` may hold to `Type/id`; `names` has `Type/id` by index."""
        return names_within({url: names[i] for url, i in self.by_url.items()}, entry.full_url)


def read_bundle(bundle: Mapping[str, Any]) -> tuple[BundleSubmission | None, list[Issue]]:
    """Read the Bundle's entries, or every fault for which the Bundle is refused (spec.md 7)."""
    if bundle.get("type") != "transaction":
        text = (
            "A referral's Bundle is a `transaction`. What a batch holds, send request by request."
        )
        return None, [Issue("not-supported", text, "Bundle.type")]
    listed = bundle.get("entry") or []
    if len(listed) > MAX_ENTRIES:
        text = f"A transaction takes at most {MAX_ENTRIES} entries; send fewer."
        return None, [Issue("too-long", text, "Bundle.entry")]
    faults: list[Issue] = []
    entries: list[BundleEntry] = []
    for index, raw in enumerate(listed):
        of_entry = _entry_faults(index, raw)
        faults += of_entry
        if not of_entry:
            entries.append(_entry(index, raw))
    requests = [e for e in entries if e.type == "ServiceRequest"]
    faults += _one_request(requests, faults)
    by_url, duplicates = _urls(listed)
    faults += duplicates
    for entry in entries:
        faults += _unresolved(entry, by_url)
    if faults:
        return None, faults
    return BundleSubmission(tuple(entries), requests[0], by_url), []


def entry_types(tree: Mapping[str, Any]) -> Iterator[str]:
    """List the types that the entries of a Bundle would create; empty for any other resource."""
    for entry in tree.get("entry") or () if tree.get("resourceType") == "Bundle" else ():
        kind = (entry.get("resource") or {}).get("resourceType")
        if kind:
            yield str(kind)


def references(resource: Any, path: str) -> Iterator[tuple[str, Path]]:
    """List every literal reference in a resource with its path, in no particular order."""
    stack: list[tuple[Any, Path]] = [(resource, (None, path, None))]
    while stack:
        node, at = stack.pop()
        literal = node.get("reference")
        if isinstance(literal, str):
            yield literal, (at, "reference", None)
        for name, value in node.items():
            if isinstance(value, dict):
                stack.append((value, (at, name, None)))
            elif isinstance(value, list):
                stack += [
                    (item, (at, name, index))
                    for index, item in enumerate(value)
                    if isinstance(item, dict)
                ]


def _entry_faults(index: int, raw: Any) -> list[Issue]:
    at = f"Bundle.entry[{index}]"
    resource, request = raw.get("resource"), raw.get("request")
    faults = []
    if not request:
        text = "Every entry of a transaction needs a request with method POST and a url."
        faults.append(Issue("required", text, f"{at}.request"))
    elif request.get("method") != "POST":
        text = (
            "A referral's Bundle creates only: send the entry with method POST and its type as the "
            "url (the resource gets an id of ours), or send the request by itself."
        )
        return [Issue("not-supported", text, f"{at}.request.method")]
    if not resource:
        text = "Every entry needs the resource that is to be created."
        return [*faults, Issue("required", text, f"{at}.resource")]
    kind = resource.get("resourceType")
    if kind == "Bundle":
        text = "Send the resources as entries of one Bundle, not as a Bundle within it."
        return [*faults, Issue("structure", text, f"{at}.resource")]
    if not faults and not _names_type(request.get("url"), kind):
        text = "The url of a create is the type of the entry's resource, such as `Patient`."
        faults.append(Issue("value", text, f"{at}.request.url"))
    return faults


def _names_type(url: Any, kind: Any) -> bool:
    return isinstance(url, str) and (url == kind or url.endswith(f"/{kind}"))


def _entry(index: int, raw: Mapping[str, Any]) -> BundleEntry:
    return BundleEntry(
        index, raw["resource"], raw.get("fullUrl"), raw["request"].get("ifNoneExist")
    )


def _one_request(requests: list[BundleEntry], faults: list[Issue]) -> list[Issue]:
    if not requests and not faults:
        text = "A referral's Bundle needs one ServiceRequest that says what is asked for."
        return [Issue("required", text, "Bundle.entry")]
    text = "A Bundle carries one referral: send each further ServiceRequest in its own Bundle."
    return [
        Issue("business-rule", text, f"Bundle.entry[{extra.index}].resource")
        for extra in requests[1:]
    ]


def _urls(listed: Sequence[Any]) -> tuple[dict[str, int], list[Issue]]:
    """Index every fullUrl, also of faulty entries: a reference to a faulty entry is no fault."""
    by_url: dict[str, int] = {}
    faults = []
    for index, raw in enumerate(listed):
        url = raw.get("fullUrl")
        if url in by_url:
            text = "Two entries have this fullUrl; give each entry its own."
            faults.append(Issue("duplicate", text, f"Bundle.entry[{index}].fullUrl"))
        elif isinstance(url, str):
            by_url[url] = index
    return by_url, faults


def _unresolved(entry: BundleEntry, by_url: Mapping[str, int]) -> list[Issue]:
    # A `urn:` has no meaning outside its Bundle; an `https:` address may be a resource we know.
    text = "No entry of this Bundle has this fullUrl; add the entry or refer to another."
    unresolved = [
        (literal, path)
        for literal, path in references(entry.resource, f"Bundle.entry[{entry.index}].resource")
        if literal[:4].lower() == "urn:" and literal not in by_url
    ]
    alike = {url.lower() for url in by_url} if unresolved else set()
    return [
        Issue("not-found", _OTHER_CASE if literal.lower() in alike else text, render(path))
        for literal, path in unresolved
    ]


# Inline documents
#: Largest decoded size of one attachment.
MAX_BYTES = 3_670_016  # 3.5 MB

#: Media types that clinical systems send. Documents are kept and returned as sent; no page shows
#: or runs them.
MEDIA_TYPES: tuple[str, ...] = (
    "application/cda+xml",
    "application/dicom",
    "application/fhir+json",
    "application/fhir+xml",
    "application/hl7-cda+xml",
    "application/hl7-sda+xml",
    "application/hl7-v3+xml",
    "application/json",
    "application/msword",
    "application/pdf",
    "application/rtf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/xml",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "text/csv",
    "text/plain",
    "text/rtf",
    "text/xml",
)


def document_faults(
    resource: Mapping[str, Any], at: str, taken: Sequence[str] = MEDIA_TYPES
) -> Iterator[Issue]:
    """Find inline documents that are refused, of a DocumentReference and of contained ones."""
    for index, held in enumerate(resource.get("contained") or ()):
        yield from document_faults(held, f"{at}.contained[{index}]", taken)
    if resource.get("resourceType") != "DocumentReference":
        return
    for index, content in enumerate(resource.get("content") or ()):
        attachment = content.get("attachment") or {}
        if "data" in attachment:
            yield from _attachment(attachment, f"{at}.content[{index}].attachment", taken)


def _attachment(attachment: Mapping[str, Any], at: str, taken: Sequence[str]) -> Iterator[Issue]:
    kind = str(attachment.get("contentType") or "").partition(";")[0].strip().lower()
    if kind not in taken:
        text = f"Send documents as {', '.join(taken)}."
        yield Issue("not-supported", text, f"{at}.contentType")
    if decoded_size(str(attachment["data"])) > MAX_BYTES:
        text = "A document may have 3.5 MB when decoded; send a smaller one, or parts."
        yield Issue("too-long", text, f"{at}.data")


def decoded_size(data: str) -> int:
    """Count the bytes that base64 text stands for; white space, which R4 allows, does not count."""
    length = len(data) - sum(map(data.count, " \t\r\n"))
    return length * 3 // 4 - data.rstrip().endswith("=") - data.rstrip().endswith("==")
