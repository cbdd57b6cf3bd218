"""Every table in one `metadata`: Alembic and the checks read it from here."""

from app.store.tables import caller as _caller
from app.store.tables import capacity as _capacity
from app.store.tables import decision as _decision
from app.store.tables import directory as _directory
from app.store.tables import intake as _intake
from app.store.tables import notification as _notification
from app.store.tables import referral as _referral
from app.store.tables import workqueue as _workqueue
from app.store.tables.metadata import metadata

__all__ = ["metadata"]
_ = (_caller, _capacity, _decision, _directory, _intake, _notification, _referral, _workqueue)
