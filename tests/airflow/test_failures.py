"""How errors of the engine end a task, and what its log says then."""

from __future__ import annotations

import logging
import traceback
from urllib.parse import quote

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from holdfast.errors import DatabaseUnavailable, HoldfastError, IntegrityError, PermanentError, StoreError, UsageError
from holdfast.redaction import KNOWN
from holdfast_airflow.failures import reported

LOG = logging.getLogger("test")
SECRET = "s3cr/t@4711"
URL = f"postgres://app:{quote(SECRET, safe='')}@db/shop"


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


@pytest.mark.parametrize("kind", [StoreError, ConnectionError, KeyError])
def test_no_cause_shows_a_secret(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    """Airflow logs the whole chain, with what the libraries said: by value, and by its form."""
    KNOWN.learn("test", [SECRET])
    with pytest.raises(AirflowException) as caught, reported(LOG):
        try:
            raise ValueError(f"no login with {SECRET} at {URL}")
        except ValueError as error:
            raise kind(f"{URL}: refused for {SECRET}") from error
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "postgres://app:***@db/shop" in told
    assert SECRET not in told
    assert quote(SECRET, safe="") not in told


def test_what_libraries_log_meanwhile_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    """Texts, arguments and errors; afterwards they log as ever."""
    library = logging.getLogger("some.library")
    with reported(LOG):
        library.warning("connecting to %s", URL)
        try:
            raise OSError(f"cannot reach {URL}")
        except OSError:
            library.exception("failed")
        library.warning("%d arguments too few")
    assert "connecting to postgres://app:***@db/shop" in caplog.text
    assert "cannot reach postgres://app:***@db/shop" in caplog.text
    assert quote(SECRET, safe="") not in caplog.text
    caplog.clear()
    library.warning("connecting to %s", URL)
    assert URL in caplog.text
