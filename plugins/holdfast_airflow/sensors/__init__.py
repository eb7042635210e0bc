"""Sensors: each waits for a record in the store, for a moment or for a person, and holds no worker meanwhile."""

from holdfast_airflow.sensors.approval import DrillApprovalSensor
from holdfast_airflow.sensors.change_window import ChangeWindowSensor
from holdfast_airflow.sensors.operation_approval import OperationApprovalSensor
from holdfast_airflow.sensors.restore_check import RestoreCheckSensor

__all__ = ["ChangeWindowSensor", "DrillApprovalSensor", "OperationApprovalSensor", "RestoreCheckSensor"]
