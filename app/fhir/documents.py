"""Documents sent inline: how large they may be, and of which kinds.

What lies behind a URL is never fetched. What a document says is for people: no rule reads it.
Source: spec.md 7 (413; inline attachments up to 3.5 MB decoded).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.base.errors import Issue

#: Of one attachment, decoded.
MAX_BYTES = 3_670_016  # 3.5 MB

#: Kinds that clinical systems send. Kept and given back as sent; nothing of them is shown or run.
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
    """Every inline document of a DocumentReference, and of those contained, that is not kept."""
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
    """How many bytes base64 stands for; white space, which R4 allows in it, counts for nothing."""
    length = len(data) - sum(map(data.count, " \t\r\n"))
    return length * 3 // 4 - data.rstrip().endswith("=") - data.rstrip().endswith("==")
