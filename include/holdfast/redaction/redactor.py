"""The one redactor: secrets that are known, then secrets that show by their form."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.redaction.cards import hide_cards
from holdfast.redaction.forms import hide_forms
from holdfast.redaction.known import KNOWN
from holdfast.redaction.secret import secrets_in


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without secrets, each replaced by ``***``; hosts, users and names of databases stay.

    ``secrets`` are values that only the caller knows of, besides those in ``KNOWN``. What has the form of a
    secret goes too: passwords in URLs, ``password=…``, tokens, private keys, numbers of payment cards.
    """
    given = {secret for value in secrets for secret in secrets_in(value, hides_words=True)}
    for secret in sorted(given, key=len, reverse=True):
        text = secret.hide(text)
    return hide_cards(hide_forms(hide_known(text)))


def hide_known(text: str) -> str:
    """``text`` without the secrets in ``KNOWN``: for results, which programs read and whose form must not change."""
    for secret in KNOWN.secrets:
        text = secret.hide(text)
    return text
