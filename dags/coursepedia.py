"""Coursepedia's backups: the Airflow DAGs that coursepedia.yaml declares, one DAG per environment and tier."""

from holdfast_dags import protect

globals().update(protect(__file__))
