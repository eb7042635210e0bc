"""Holdfast's engine: backs up an application and proves that the backup restores. Never imports Airflow."""

__version__ = "0.1.0"
