"""The watch over every app's backups: the Airflow DAG that looks into the stores of all policies beside this file."""

from holdfast_dags.watch import watch

dag = watch(__file__)
