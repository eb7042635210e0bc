"""Holdfast in Airflow: operators that call the engine, and the page that shows what a run did."""
