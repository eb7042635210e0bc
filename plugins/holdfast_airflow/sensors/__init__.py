"""Sensors: each waits for a record in the store, and holds no worker meanwhile."""

from holdfast_airflow.sensors.restore_check import RestoreCheckSensor

__all__ = ["RestoreCheckSensor"]
