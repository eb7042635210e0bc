"""How the tests' processes share out the files: one process has a file to itself, and long files are begun first.

An Airflow of its own takes most of a core: two of the processes work through the files that start one, the others never
do unless nothing else is left.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

# What only the first of them has to start serves the others too; they run in this order.
TOGETHER = {
    "tests/e2e/test_drill_browser.py": "make run",
    "tests/e2e/test_make_run.py": "make run",
}
# A long file that is begun last is waited for by everybody. These mostly wait themselves, for Airflow or for `make`.
LONGEST = (
    "make run",
    "tests/airflow/test_restore_dags_runs.py",
    "tests/airflow/test_drill_dags_runs.py",
    "tests/airflow/test_approval_gate.py",
    "tests/airflow/test_roles_ui.py",
    "tests/e2e/test_celery_queues.py",
    "tests/airflow/test_roles.py",
    "tests/airflow/test_killed_task.py",
    "tests/airflow/test_alerts_run.py",
    "tests/airflow/test_snapshot_pipeline.py",
    "tests/airflow/test_role_making.py",
    "tests/fault/test_store_s3_faults.py",
    "tests/fault/test_switch_operation_faults.py",
    "tests/integration/test_bucket_source.py",
    "tests/integration/test_rows_and_tables_cli.py",
    "tests/fault/test_drill_faults.py",
    "tests/integration/test_drill_cli.py",
    "tests/integration/test_media_sync.py",
    "tests/integration/test_store_guard.py",
    "tests/airflow/test_media_runs.py",
    "tests/fault/test_backup_faults.py",
    "tests/fault/test_media_restore_faults.py",
    "tests/fault/test_inventory_export_faults.py",
    "tests/integration/test_demo_app.py",
    "tests/integration/test_recover_rows.py",
)


_WITH_AIRFLOW = ("tests/airflow/", "tests/e2e/", "make run")
_AIRFLOWS = 2


def unit_of(nodeid: str) -> str:
    """What goes to one process as a whole: the test's file, or the files that it shares servers with."""
    file = nodeid.partition("::")[0]
    return TOGETHER.get(file, file)


def turn_of(nodeid: str) -> tuple[int, int]:
    """When the test's turn is: the smaller, the sooner."""
    file, unit = nodeid.partition("::")[0], unit_of(nodeid)
    return (
        LONGEST.index(unit) if unit in LONGEST else len(LONGEST),
        list(TOGETHER).index(file) if file in TOGETHER else 0,
    )


class Scheduling(LoadScopeScheduling):
    """Gives each process unit after unit, in the order of the collected tests."""

    def __init__(self, config: Any, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        """The next unit, of those that this process should take."""
        takes_airflow = list(self.nodes).index(node) < _AIRFLOWS
        fitting = [unit for unit in self.workqueue if unit.startswith(_WITH_AIRFLOW) == takes_airflow]
        if fitting:
            self.workqueue.move_to_end(fitting[0], last=False)
        super()._assign_work_unit(node)
