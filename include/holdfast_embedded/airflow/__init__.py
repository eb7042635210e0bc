"""The embedded Airflow: its environment, its servers and a small client of its REST API."""
