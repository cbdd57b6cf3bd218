"""Tasks in a referral's Bundle: they become the referral's own, there is never a second one."""

from collections.abc import Mapping
from typing import Any

from app.base.errors import Issue, refuse
from app.fhir.reference import unversioned
from app.fhir.task import asks_to_cancel, read_adopted

Resource = dict[str, Any]


def as_one(tasks: Mapping[int, Resource]) -> Resource | None:
    """The Tasks (by the index of their entry) as one; 422 for one that asks for something else."""
    together: Resource = {}
    for index, task in tasks.items():
        at = f"Bundle.entry[{index}].resource"
        if asks_to_cancel(task, at):
            said = "A referral is not sent and taken back at once: leave one of the two out."
            raise refuse(422, "business-rule", said, f"{at}.code")
        together |= read_adopted(task, together)
    return together if tasks else None


def strange_tasks(tasks: Mapping[int, Resource], request: str) -> list[Issue]:
    """A fault for each Task that is about something else than this request."""
    text = "Point `focus` to the ServiceRequest of this Bundle: a Task in it is about the referral."
    return [
        Issue("business-rule", text, f"Bundle.entry[{index}].resource.focus")
        for index, task in tasks.items()
        if not _focuses(task, request)
    ]


def _focuses(task: Resource, request: str) -> bool:
    """Whether a Task is about this request: what its focus does not say is taken to be so."""
    literal = (task.get("focus") or {}).get("reference", request)
    return isinstance(literal, str) and unversioned(literal) == request
