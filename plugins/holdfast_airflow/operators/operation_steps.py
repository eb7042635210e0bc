"""The steps of operations on the live application, each an operator: which step it is, and whether it changes live."""

from __future__ import annotations

from holdfast_airflow.operators.operation import OperationStepOperator


class PlanOperator(OperationStepOperator):
    """Says what would be done, and what hinders it; writes nothing to what is live."""

    step_name = "plan"


class RestoreBesideOperator(OperationStepOperator):
    """Restores the database under another name beside the live one, and counts every table."""

    step_name = "restore_beside"


class RestoreMediaBesideOperator(OperationStepOperator):
    """Restores the media files beside the live directory."""

    step_name = "restore_media_beside"


class SwitchOperator(OperationStepOperator):
    """Renames both databases in one transaction, so that the restored one is live."""

    step_name = "switch"
    changes_live = True


class SwitchMediaOperator(OperationStepOperator):
    """Exchanges both directories in one step, so that the restored media are live."""

    step_name = "switch_media"
    changes_live = True


class SwitchBackOperator(OperationStepOperator):
    """Makes the database live again that a restore has put aside."""

    step_name = "switch_back"
    changes_live = True


class SwitchMediaBackOperator(OperationStepOperator):
    """Makes the media live again that a restore has put aside."""

    step_name = "switch_media_back"
    changes_live = True


class CheckLiveOperator(OperationStepOperator):
    """Asks what is live now the policy's questions, which only read, and runs the policy's checks."""

    step_name = "check_live"


class ApplyOperator(OperationStepOperator):
    """Writes what was planned into the live database, in one transaction."""

    step_name = "apply"
    changes_live = True


class MigrateOperator(OperationStepOperator):
    """Runs the policy's migration command on the live database, and its checks; it runs once, whatever comes of it."""

    step_name = "migrate"
    changes_live = True


class FollowUpOperator(OperationStepOperator):
    """Runs the policy's follow-up commands once the snapshot is live again."""

    step_name = "follow_up"
    changes_live = True
