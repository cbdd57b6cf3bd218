"""Examples of what a search or a history of one type answers, made from an example of it. PURE."""

from typing import Any

#: How the names of such examples begin.
SEARCHSET_OF, HISTORY_OF = "searchset-of-", "history-of-"
_BASE = "https://referrals.example/fhir"
_ID = "01a20ac2-1590-7455-9fce-72f3a0174834"
_CURSOR = (
    "BqE9ysOBO5BPtdup9AklqVsxNzk1MTk0MDAyMTY2NDUyLCIwMWEyMGFjMi0xNjExLTczMGEtOTA5Ny04NzA5YjU3ODdkZj"
    "UiXQ"
)


def bundle_of(resource: dict[str, Any], kind: str) -> dict[str, Any]:
    """The Bundle that holds a resource: the first page of a search, or a history of one version."""
    held = resource if "id" in resource else {"resourceType": "", "id": _ID, **resource}
    where = f"{held['resourceType']}/{held['id']}"
    entry: dict[str, Any] = {"fullUrl": f"{_BASE}/{where}", "resource": held}
    if kind == SEARCHSET_OF:
        asked = f"{_BASE}/{held['resourceType']}?_count=1"
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [
                {"relation": "self", "url": asked},
                {"relation": "next", "url": f"{asked}&_cursor={_CURSOR}"},
            ],
            "entry": [{**entry, "search": {"mode": "match"}}],
        }
    entry["request"] = {"method": "POST", "url": held["resourceType"]}
    entry["response"] = {"status": "201", "etag": 'W/"1"'}
    return {
        "resourceType": "Bundle",
        "type": "history",
        "total": 1,
        "link": [{"relation": "self", "url": f"{_BASE}/{where}/_history"}],
        "entry": [entry],
    }
