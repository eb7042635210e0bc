"""Secrets leave no trace in what programs said."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.process.redaction import MASK, redact


def test_every_spelling_is_masked() -> None:
    """Raw, percent-encoded, and as in forms."""
    secret = "a b@c/d"
    text = f"{secret} {quote(secret)} {quote(secret, safe='')} {quote_plus(secret)}"
    assert redact(text, [secret]) == " ".join([MASK] * 4)


def test_a_secret_within_another_leaves_no_rest() -> None:
    """The longer one goes first."""
    assert redact("swordfish sword", ["sword", "swordfish"]) == f"{MASK} {MASK}"


@example(["\udc80", "\ud800"], "")
@given(st.lists(st.text(st.characters(exclude_characters="*"), min_size=1), max_size=4), st.text())
def test_no_secret_survives(secrets: list[str], noise: str) -> None:
    """Whatever stands around it."""
    said = redact(noise + " ".join(secrets) + noise, secrets)
    assert not any(secret in said for secret in secrets)
