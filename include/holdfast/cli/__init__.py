"""The command line: the same use cases as the DAGs, with Airflow down."""

from holdfast.cli.main import main

__all__ = ["main"]
