"""Base FHIR R4 (4.0.1).

`check_resource` finds what is not valid R4,
`find_unsupported` what is valid and yet not understood here.
"""

from app.fhir.r4.check import check_resource
from app.fhir.r4.service import find_unsupported

__all__ = ["check_resource", "find_unsupported"]
