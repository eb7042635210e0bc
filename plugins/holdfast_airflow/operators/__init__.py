"""Operators: each assigns in ``__init__`` and calls one function of the engine in ``execute``."""

from holdfast_airflow.operators.dump import DumpOperator
from holdfast_airflow.operators.expire import ExpireOperator
from holdfast_airflow.operators.manifest import ManifestOperator
from holdfast_airflow.operators.open import OpenRestorePointOperator
from holdfast_airflow.operators.verify_list import VerifyListOperator

__all__ = [
    "DumpOperator",
    "ExpireOperator",
    "ManifestOperator",
    "OpenRestorePointOperator",
    "VerifyListOperator",
]
