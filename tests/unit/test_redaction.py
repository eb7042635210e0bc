"""Secrets leave no trace in text, and what is none stays readable."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.errors import StoreError
from holdfast.redaction import KNOWN, MASK, cleansed, hide_known, redact, spellings, traceback_text
from holdfast.values.connection import Connection
from holdfast.values.credentials import learn_secrets

SECRET = "ca/na+ry@%#: l'öwe\"\\&<7>\n=end"
_ENCODERS = {
    "plain": str,
    "url": quote,
    "url component": lambda text: quote(text, safe=""),
    "url of rust": lambda text: quote(text, safe="!$&'()*+,~%"),
    "form": quote_plus,
    "url twice": lambda text: quote(quote(text, safe=""), safe=""),
    "small digits": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%C3%B6", "%c3%b6"),
    "json": lambda text: json.dumps(text)[1:-1],
    "json of letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json within json": lambda text: json.dumps(json.dumps(text))[3:-3],
    "html": html.escape,
    "shell": lambda text: shlex.quote(text)[1:-1],
    "python": lambda text: repr(text)[1:-1],
    "python bytes": lambda text: repr(text.encode())[2:-1],
}


@pytest.mark.parametrize("encoder", _ENCODERS)
def test_every_spelling_is_masked(encoder: str) -> None:
    """However it was encoded on its way into the text."""
    written = _ENCODERS[encoder](SECRET)
    assert redact(f"<{written}>", [SECRET]) == f"<{MASK}>"


def test_spellings_one_by_one() -> None:
    """For maskers that know fixed text alone."""
    assert {SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET)} <= set(spellings(SECRET))
    assert spellings("") == ()


def test_a_secret_within_another_leaves_no_rest() -> None:
    """The longer one goes first."""
    assert redact("sw0rdfish sw0rd", ["sw0rd", "sw0rdfish"]) == f"{MASK} {MASK}"


@example(["\udc80\udc80\udc80\udc80\udc80\udc80\udc80\udc80", "\ud800" * 8], "")
@given(st.lists(st.text(st.characters(exclude_characters="*"), min_size=8), max_size=4), st.text())
def test_no_secret_survives(secrets: list[str], noise: str) -> None:
    """Whatever stands around it; blanks around a secret are none of it."""
    said = redact(noise + " ".join(secrets) + noise, secrets)
    assert not any(secret.strip() in said for secret in secrets if len(secret.strip()) >= 8)


@pytest.mark.parametrize(
    ("secret", "text", "said"),
    [
        ("a", "a database of a host", "a database of a host"),
        ("abc", "abc", "abc"),
        ("refused", "connection refused", "connection refused"),
        ("5432", "db:5432", "db:5432"),
        ("sh0rt", "sh0rt, xsh0rty, (sh0rt) \\nsh0rt", "***, xsh0rty, (***) \\n***"),
        ("postgres", "postgres://postgres@h/postgres", "postgres://postgres@h/postgres"),
        ("long5ecret", "xlong5ecrety", "x***y"),
    ],
)
def test_short_secrets_blank_no_text(secret: str, text: str, said: str) -> None:
    """Below four characters nothing is looked for by its value, below eight only what stands alone and is no word."""
    KNOWN.learn("test", [secret])
    assert redact(text) == said


def test_short_word_is_masked_where_the_text_is_about_it() -> None:
    """What a program says that was given this password."""
    assert redact("connection refused", ["refused"]) == "connection ***"


@pytest.mark.parametrize("secret", ["a", "abc", "postgres", "h0st"])
def test_short_secrets_are_masked_by_their_place(secret: str) -> None:
    """In a URL or beside their name there is no doubt what they are."""
    assert redact(f"postgres://app:{secret}@h0st/db") == "postgres://app:***@h0st/db"
    assert redact(f"PGPASSWORD={secret} psql") == "PGPASSWORD=*** psql"


# Put together here, so that nobody's search for secrets finds one in this file.
_KEY = "AGE-SECRET" + "-KEY-1" + "QYPQX0" * 9
_PEM = "-----BEGIN " + "PRIVATE KEY-----\nMC4CAQAwBQ\n-----END PRIVATE KEY-----"
_JWT = "ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP"
_FORMS = {
    "postgres://app:p@ss/w:rd@db:5432/shop": "postgres://app:***@db:5432/shop",
    "connection to 'postgresql+psycopg://app:x@h1:1,h2:2/d' failed": (
        "connection to 'postgresql+psycopg://app:***@h1:1,h2:2/d' failed"
    ),
    "redis://:hunter2@cache/0": "redis://:***@cache/0",
    "host=db password='p w' user=app": "host=db password='***' user=app",
    '{"password": "p\\"w", "user": "app"}': '{"password": "***", "user": "app"}',
    r"{\"password\": \"pw\", \"user\": \"app\"}": r"{\"password\": \"***\", \"user\": \"app\"}",
    "{'aws_secret_access_key': 'wJalr/K7', 'region': 'eu'}": "{'aws_secret_access_key': '***', 'region': 'eu'}",
    "SECRET_KEY_BASE=abc APP=shop": "SECRET_KEY_BASE=*** APP=shop",
    "DB_PASSWORD_PRODUCTION=abc": "DB_PASSWORD_PRODUCTION=***",
    "smtp_password: Hunter2": "smtp_password: ***",
    "GET /b?X-Amz-Signature=0a1b&x=1": "GET /b?X-Amz-Signature=***&x=1",
    "https://a.blob/c?sv=2&sig=abcdefgh%3D&se=3": "https://a.blob/c?sv=2&sig=***&se=3",
    "Authorization: Basic " + base64.b64encode(b"u:p").decode(): "Authorization: ***",
    "'authorization': 'AWS4-HMAC-SHA256 Credential=x/y, Signature=ab'": "'authorization': '***'",
    "Bearer 0123456789abcdef refused": "Bearer *** refused",
    "Set-Cookie: session=abcdef; Path=/": "Set-Cookie: ***",
    f"identity {_KEY} found": "identity *** found",
    f"key:\n{_PEM}\nend": "key:\n***\nend",
    f"token {_JWT} expired": "token *** expired",
    "AK" + "IAIOSFODNN7EXAMPLE is not allowed": "*** is not allowed",
    "gh" + "p_" + "A1b2" * 9: "***",
    "sk_" + "live_" + "A1b2C3d4E5": "***",
    "posted to https://hooks.slack.com/services/T0/B0/xyz": "posted to https://hooks.slack.com/services/***",
}


@pytest.mark.parametrize("text", _FORMS)
def test_what_has_the_form_of_a_secret_is_masked(text: str) -> None:
    """Hosts, users and names of databases stay."""
    assert redact(text) == _FORMS[text]


@pytest.mark.parametrize(
    "text",
    [
        'FATAL: password authentication failed for user "app"',
        "Give a URL such as postgresql://user:password@host:5432/database.",
        "the environment variable AIRFLOW_CONN_SHOP_DB is not set; aws://key:secret@/?endpoint_url=…",
        "store http://127.0.0.1:8333/bucket: sent by ops@example.com",
        "password_encryption = scram-sha-256",
        "the token: expired",
        "PWD=/srv/app PASSWORD_FILE=/run/secrets/db TOKEN_FILE=/x PASSWORD=${DB_PASSWORD}",
        "keys.signing_key_file /keys/signing.pem: no such file on this host",
        "basic authentication is refused, bearer of bad news",
        "public key: age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "-----BEGIN PUBLIC KEY-----\nMCowBQ\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """An error's text has to tell what to do."""
    assert redact(text) == text


_CARDS = ("4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444", "2223003122003222")
_CARDS_OF_OTHER_LENGTH = ("378282246310005", "3782 822463 10005", "6011111111111117", "3056 930902 5904")


@pytest.mark.parametrize("card", [*_CARDS, *_CARDS_OF_OTHER_LENGTH])
@pytest.mark.parametrize("around", ["{}", "card {},", '{{"pan":"{}"}}', r"rows:\n{}\n", "pan={}"])
def test_card_numbers_are_masked(card: str, around: str) -> None:
    """Of every large issuer, bare and grouped."""
    assert redact(around.format(card)) == around.format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "system identifier 7412345678901234567",
        "system identifier 6212345678901234560",
        "1099511627776 bytes, 4398046511104 bytes, 4503599627370496 bytes",
        "000000010000000000000003",
        "20261122T020000Z-nightly-4f9c2a at 2026-11-22 02:00:00.123456+00",
        "LSN 16/B374D848, 0/4111111",
        "1763776800000 ms, 1763776800000000000 ns",
        "9f86d0814111111111111111a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "0.4111111111111111 and 4111111111111111.5",
        "4f1c9c8e-4111-1111-1111-111111111111",
        "41111111111111111111",
    ],
)
def test_ids_sizes_and_times_are_no_cards(text: str) -> None:
    """Though they may have as many digits."""
    assert redact(text) == text


def test_connection_is_learnt_whole() -> None:
    """Password, tokens of the extra, addresses of services; names stay, and repr shows nothing."""
    learn_secrets(
        Connection(
            "pager",
            "apprise",
            host="db",
            login="shop",
            password="s/cr@t pw",
            extra={
                "config": {"path": "slack://TokenAAAA/TokenBBBB/Tok%2BenCCCC", "tag": "ops"},
                "endpoint_url": "http://127.0.0.1:8333",
                "aws_session_token": "sess ion",
                "keyfile_dict": '{"private_key": "line one of the key\\nline 2 of key", "client_email": "x@e.com"}',
            },
        )
    )
    for told in ("s/cr@t pw", "s%2Fcr%40t%20pw", "TokenBBBB", "Tok+enCCCC", "sess ion", "line one of the key"):
        assert redact(f"<{told}>") == "<***>"
        assert hide_known(f"<{told}>") == "<***>"
    assert redact(base64.b64encode(b"shop:s/cr@t pw").decode()).rstrip("=") == MASK
    plain = "shop@db http://127.0.0.1:8333 x@e.com ops"
    assert redact(plain) == plain
    assert "cr@t" not in repr(KNOWN) + repr(KNOWN.secrets)


def test_password_equal_to_a_name_hides_no_name() -> None:
    """Who chose it keeps readable messages; in a URL it is masked all the same."""
    learn_secrets(Connection("shop_db", "postgres", host="shop", login="shop", password="shop", schema="shop"))
    assert redact("shop@shop:5432/shop") == "shop@shop:5432/shop"
    assert redact("postgres://shop:shop@shop/shop") == "postgres://shop:***@shop/shop"


def test_source_read_again_replaces_what_it_said() -> None:
    """A rotated password does not pile up."""
    KNOWN.learn("connection db", ["old-password-1"])
    KNOWN.learn("connection db", ["new-password-2"])
    assert redact("old-password-1 new-password-2") == f"old-password-1 {MASK}"


def test_errors_lose_secrets_with_all_their_causes() -> None:
    """Texts, arguments, notes, file names; what cannot be changed is replaced."""
    KNOWN.learn("test", [SECRET])
    error = _chain()
    clean = cleansed(error)
    assert clean is error
    text = traceback_text(error)
    told = "".join(repr(each) + str(each) for each in _causes(clean)) + text + (error.hint or "")
    assert not any(form in told for form in spellings(SECRET))
    assert "StoreError: store b:" in text
    assert "Stubborn" in text


class _Stubborn(Exception):
    """Its text is not made of its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.text = f"stuck with {quote(SECRET, safe='')}"

    def __str__(self) -> str:
        return self.text


def _chain() -> StoreError:
    """An error with causes of several kinds, each of which shows the secret."""
    try:
        try:
            try:
                raise _Stubborn
            except _Stubborn as stubborn:
                raise FileNotFoundError(2, f"no {SECRET}", f"/x/{SECRET}") from stubborn
        except OSError as missing:
            missing.add_note(f"note {SECRET}")
            raise KeyError(SECRET, {"url": f"http://u:{SECRET}@h/"}) from missing
    except KeyError as wrong:
        try:
            raise StoreError(f"store b: {SECRET}", hint=f"Try {SECRET}.") from wrong
        except StoreError as error:
            return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
