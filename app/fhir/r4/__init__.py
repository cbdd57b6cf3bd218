"""Base FHIR R4 (4.0.1): checks resources.

`check_resource` finds content that is not valid. `find_unsupported` finds content that is valid but
that this service does not understand. `warm` prepares the tables at the start of a process.
"""

from app.fhir.r4.check import check_resource
from app.fhir.r4.service import find_unsupported
from app.fhir.r4.tables import warm

__all__ = ["check_resource", "find_unsupported", "warm"]
