"""Every table in one `metadata`: Alembic and the checks read it from here."""

from app.caller import tables as _caller
from app.capacity import tables as _capacity
from app.decision import tables as _decision
from app.directory import tables as _directory
from app.intake import tables as _intake
from app.metadata import metadata
from app.notification import tables as _notification
from app.referral import tables as _referral
from app.workqueue import tables as _workqueue

__all__ = ["metadata"]
_ = (_caller, _capacity, _decision, _directory, _intake, _notification, _referral, _workqueue)
