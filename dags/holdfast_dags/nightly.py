"""The nightly backup: open → dump → verify list → manifest → expire (nightly.md is its runbook)."""

from __future__ import annotations

from airflow.sdk import DAG, chain

from holdfast_airflow.assets import restore_points
from holdfast_airflow.operators import (
    DumpOperator,
    ExpireOperator,
    ManifestOperator,
    OpenRestorePointOperator,
    VerifyListOperator,
)
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import RECOVERY_QUEUE, tier_dag

TIER = "nightly"
# A template instead of open.output, which would draw an edge from open to every task that takes it.
OPENED = "{{ ti.xcom_pull(task_ids='open') }}"


def build(protected: Protected) -> DAG:
    """The nightly DAG of one environment."""
    book = runbook.read(TIER, protected)
    place = protected.operator_arguments
    with tier_dag(protected, TIER, book) as dag:
        open = OpenRestorePointOperator(task_id="open", tier=TIER, doc_md=book.task("open"), **place)
        dump = DumpOperator(task_id="dump", restore_point=OPENED, doc_md=book.task("dump"), **place)
        verify_list = VerifyListOperator(
            task_id="verify_list", restore_point=OPENED, queue=RECOVERY_QUEUE, doc_md=book.task("verify_list"), **place
        )
        manifest = ManifestOperator(
            task_id="manifest",
            restore_point=OPENED,
            outlets=[restore_points(protected.app, protected.environment)],
            doc_md=book.task("manifest"),
            **place,
        )
        expire = ExpireOperator(task_id="expire", doc_md=book.task("expire"), **place)
        chain(open, dump, verify_list, manifest, expire)
    return dag
