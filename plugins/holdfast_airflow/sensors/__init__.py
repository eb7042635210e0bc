"""Sensors: each waits for a record in the store or for a person, and holds no worker meanwhile."""

from holdfast_airflow.sensors.approval import DrillApprovalSensor
from holdfast_airflow.sensors.restore_check import RestoreCheckSensor

__all__ = ["DrillApprovalSensor", "RestoreCheckSensor"]
