"""How errors of the engine end a task, and what its log says then."""

from __future__ import annotations

import logging

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from holdfast.errors import DatabaseUnavailable, HoldfastError, IntegrityError, PermanentError, StoreError, UsageError
from holdfast_airflow.failures import reported

LOG = logging.getLogger("test")


@pytest.mark.parametrize("error", [PermanentError("no"), UsageError("no"), IntegrityError("no")])
def test_permanent_error_is_not_tried_again(error: HoldfastError) -> None:
    """Airflow gives a task up at once for this exception, whatever its retries."""
    with pytest.raises(AirflowFailException, match="no") as caught, reported(LOG):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [StoreError("busy"), DatabaseUnavailable("busy"), ConnectionResetError("busy"), TimeoutError("busy")]
)
def test_transient_error_is_tried_again(error: Exception) -> None:
    """A lost connection is Airflow's to retry: plain AirflowException, not the one that fails the task."""
    with pytest.raises(AirflowException, match="busy") as caught, reported(LOG):
        raise error
    assert not isinstance(caught.value, AirflowFailException)


def test_defect_is_not_tried_again() -> None:
    """An error that nobody foresaw is named by its type, and fails the task."""
    with pytest.raises(AirflowFailException, match="unexpected KeyError: 'x'"), reported(LOG):
        raise KeyError("x")


def test_message_and_hint_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The last lines on-call reads: what, which, why; then what to do."""
    with pytest.raises(AirflowException), reported(LOG):
        raise StoreError("store s3://b: 503", hint="Wait for the store.")
    assert [record.getMessage() for record in caplog.records] == ["store s3://b: 503", "hint: Wait for the store."]


def test_termination_passes_through() -> None:
    """SystemExit, by which SIGTERM leaves the engine, stays what it is."""
    with pytest.raises(SystemExit), reported(LOG):
        raise SystemExit("ended by SIGTERM")
