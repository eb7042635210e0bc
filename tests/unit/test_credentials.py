"""Credentials are recognised wherever they stand in a text; names, places and people are left alone."""

from __future__ import annotations

import base64
import random
import string
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from holdfast.inventory.credentials import credential_in
from holdfast.inventory.randomness import is_mixed

PROJECT = Path(__file__).parents[2]

CREDENTIALS = [
    "sk_live_51H8xYz2eZvKYlo2C",
    "rk_test_4eC39HqLyjWD",
    "whsec_8s7d6f8s7d6f",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11AAAA_abcd",
    "glpat-abcdEFGH1234",
    "xoxb-123456789012-abcdef",
    "xoxe.xoxp-1-Mi0yLTk",
    "AGE-SECRET-KEY-1QQQ",
    "age-secret-key-1qqq",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    "postgres://app:hunter2@db/x",
    "redis://:hunter2@cache:6379",
    "smtp://user:pa%40ss@mail.example.com:587",
    "postgres://app:p@ss@db/x",
    "SG.abcdefghijk.xyz",
    "AIzaSyA-1234567890",
    "DATABASE_PASSWORD=hunter2",
    "DATABASE_PASSWORD = hunter2",
    "export A1=x",
    "password=hunter",
    "password: hunter2",
    "Token: 'x7K9..a'",
    "the password is hunter2!",
    "correct password: Tr0ub4dor&3",
    "550e8400-e29b-41d4-a716-446655440000",
    "$2b$12$abcdefg",
    "Bearer 1234567890abcdef",
    "xK9#mQ2$vL5@nR8",
    "Zq8!rT3?wX6%",
    "x9#m2$v5@n8!",
    "sk-ant-api03-abc_DEF",
    "shpat_0123456789abcdef",
    "dop_v1_0123abcd",
    "https://hooks.slack.com/services/T00000000/B00000000/abcdefgh",
    "https://discord.com/api/webhooks/123456789/abcdef",
    "https://shop.webhook.office.com/webhookb2/0f-1e@2d/IncomingWebhook/x",
    "PGPASSWORD hunter2",
    "curl -u user:pass",
    "curl -s https://x.example.com --user user:pass",
    "mysql -phunter2",
    "mysqldump -u root -phunter2 shop",
    "sshpass -p hunter2",
    "redis-cli -h cache -a hunter2",
    "pg_tool --password hunter2",
    "AccountKey=abc==",
    "SharedAccessKey=abc=",
]
HARMLESS = [
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:coursepedia/production/database-Ab1Cd2",
    "arn:aws:kms:eu-central-1:123456789012:alias/coursepedia",
    "projects/123456789/secrets/db-password/versions/latest",
    "https://vault.example.com/ui/vault/secrets/kv/show/coursepedia",
    "https://coursepedia-kv.vault.azure.net/secrets/database-url",
    "https://eu.posthog.com/project/12345?tab=keys",
    "postgres://db.example.com:5432/shop",
    "http://localhost:3000/api/auth/callback",
    "ssh://git@github.com:org/repo",
    "http://localhost:3000/users/me@example.com",
    "https://status.example.com:8443?to=ops@example.com",
    "https://user@example.com/path",
    "kubernetes secret coursepedia/app-env, key DATABASE_URL",
    "vault kv get -field=password secret/shop",
    "HashiCorp Vault: secret/data/campustrack/production#JWT_SECRET",
    "1Password: vault Infrastructure, item Stripe live",
    "op://Infrastructure/Stripe/webhook-secret",
    "SSM /coursepedia/production/smtp/password",
    "C:\\ProgramData\\app",
    "ops@example.com",
    "Platform team (platform@example.com)",
    "Stripe's begin with sk_live_",
    "password: rotated with the database user",
    "The token is kept by ops",
    "password is in the vault",
    "secret: kv2/coursepedia1/app",
    "DATABASE_URL=${DATABASE_URL}",
    "SMTP_PASSWORD=<in the vault>",
    "internationalization, 2027-01-31, eu-central-1a",
    "OAUTH2_CLIENT_ID S3_BUCKET_V2 NEXT_PUBLIC_POSTHOG_HOST X509_CERT_SHA256_FINGERPRINT",
    "vault:secret/data/Shop2/production#S3_KEY",
    "https://console.example.com/Shop2/keys?version=3&tab=Keys#L12",
    "kubectl -n Shop2 get secret App-Env -o jsonpath='{.data.DATABASE_URL}'",
    "{{ .Values.Smtp2.Password }} and {{.Values.Smtp2.Password}}",
    "$VAULT_ADDR/v1/kv/data/Shop2#Key, ${VAULT_ADDR}/v1/Shop#Key",
    "%APPDATA%\\Shop2\\Config.json, DB01\\svc_Shop2, ~/Documents/Secrets_2027(1).kdbx",
    "OAuth2.0/OIDC, AES-256-GCM/HKDF-SHA256, ECDSA(P-256)+SHA-256, Base64(SHA-256(x))",
    "+49(89)123-456-78 (Mo-Fr,08:00-17:00), #ops-alerts, @Platform-Team2",
    "postgresql-18.6+deb12u1, node>=18.0.0<21, next-auth@^4.24.5||^5.0.0-beta.3",
    "GitHub>Settings>Secrets>Actions>PROD_2, Settings|Security|API-Keys(v2)|Rotate",
    "S3_ACCESS_KEY_ID+S3_SECRET_ACCESS_KEY; DB1&DB2|DB3; STRIPE_KEY&STRIPE_WEBHOOK_SECRET",
    'process.env["SMTP2_PASSWORD"]!; lib/Auth2.tsx#L10-L20; 2026-12-31T23:59:59+01:00',
    "1Password/Bitwarden(EU)/KeePassXC-2.7; T-Systems(OTC)#EU-DE2; Don't-touch!!!",
    "PGPASSWORD is read from the vault; docker run -u 1000:1000 -e PGPASSWORD postgres:18",
    "curl -u $USER:$PASS, curl --user <user>:<password>, mysql -p, mysql -p$PASSWORD, redis-cli -a (asks)",
    "--password in the vault; AccountKey=<in the vault>; shpat_ and sk-ant- begin them",
    "the webhook of hooks.slack.com; https://discord.com/developers/applications",
    "# Schlüssel: beim Betriebsteam, Tresor 3",
    "- {name: SESSION_SECRET, area: session, owner: Platform, rotated_by: [DevOps], rotate_by: 2027-03-01}",
]
TOKEN = st.binary(min_size=24, max_size=64)
WORDS = [
    "admin", "api", "app", "application", "auth", "aws", "azure", "backup", "base", "billing", "bucket", "cache",
    "callback", "campus", "certificate", "client", "config", "course", "coursepedia", "database", "deploy", "dev",
    "developer", "dns", "email", "encryption", "env", "event", "example", "export", "file", "gateway", "github",
    "google", "grafana", "host", "id", "identity", "import", "inventory", "jwt", "key", "kubernetes", "learner",
    "limit", "log", "login", "mail", "manager", "media", "metrics", "mode", "monitoring", "name", "network", "node",
    "oauth", "operations", "owner", "password", "path", "payment", "platform", "pool", "port", "postgres", "prisma",
    "private", "production", "project", "provider", "public", "queue", "rate", "read", "redis", "refresh", "region",
    "replica", "role", "rotate", "schema", "secret", "secretsmanager", "security", "sender", "sentry", "server",
    "service", "session", "smtp", "staging", "storage", "stripe", "student", "team", "tenant", "token", "trace",
    "track", "url", "user", "value", "vault", "version", "webhook", "worker", "write", "zone",
]  # fmt: skip
word = st.sampled_from(WORDS)


@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_are_recognised(text: str) -> None:
    """Alone, in a sentence, in quotes, at a line's end, and never repeated in the answer."""
    for around in ("{}", "note: see {}", "'{}'", "# {}", "({})", "kept in {} since May"):
        kind = credential_in(around.format(text))
        assert kind is not None, around
        assert text not in kind


@pytest.mark.parametrize("text", HARMLESS)
def test_names_places_and_people_are_none(text: str) -> None:
    """What an inventory is made of is let through."""
    assert credential_in(text) is None


@given(TOKEN)
@example(bytes(range(100, 124)))
def test_random_hex_is_a_credential(data: bytes) -> None:
    """Whatever a generator prints as hexadecimal digits."""
    text = data.hex()
    # Hypothesis also tries bytes that no generator would come up with.
    changes = sum(left.isdigit() != right.isdigit() for left, right in pairwise(text))
    assume(len(set(data)) > 12 and changes > len(text) / 5)
    assert credential_in(f"it is {text}.") is not None


@given(st.integers(0, 2**64))
@settings(max_examples=20)
def test_most_random_base64_is_a_credential(seed: int) -> None:
    """Of forty tokens of 256 bits, as base64 and as letters and digits, hardly one is missed."""
    chance = random.Random(seed)
    tokens = [base64.b64encode(chance.randbytes(32)).decode() for _ in range(20)]
    tokens += ["".join(chance.choices(string.ascii_letters + string.digits, k=40)) for _ in range(20)]
    assert sum(credential_in(token) is None for token in tokens) <= 2


@pytest.mark.parametrize("symbols", [string.punctuation, "!@#$%^&*", "!@#$%^&*-_", "!#$%&()*+-.:;<=>?@_"])
@pytest.mark.parametrize(("length", "share"), [(12, 0.9), (16, 0.95), (20, 0.97), (32, 0.98)])
def test_most_generated_passwords_with_symbols_are_credentials(symbols: str, length: int, share: float) -> None:
    """Letters of both cases, digits and symbols in any mixture, as password managers make them."""
    chance = random.Random(length)
    passwords = ["".join(chance.choices(string.ascii_letters + string.digits + symbols, k=length)) for _ in range(1200)]
    mixed = [password for password in passwords if set(password) & set(symbols)]
    assert sum(credential_in(f"kept in {password}") is not None for password in mixed) >= share * len(mixed)


def test_words_of_the_documentation_are_none() -> None:
    """No word of our own pages, which are full of paths, options and queries, looks like a mixed password."""
    pages = [*(PROJECT / "docs").glob("*.md"), PROJECT / "README.md", *(PROJECT / "dags").glob("*.inventory.yaml")]
    words = {word for page in pages for word in page.read_text(encoding="utf-8").split()}
    assert len(words) > 3000
    # Ids, hashes and examples of credentials are meant to be recognised; by the mixture alone, nothing is.
    assert [word for word in sorted(words) if is_mixed(word)] == []


@given(
    st.lists(word, min_size=1, max_size=6, unique=True),
    st.sampled_from(["_", "-", "/", ".", " ", ", "]),
    st.integers(0, 999),
)
def test_words_joined_by_anything_are_none(words: list[str], joint: str, number: int) -> None:
    """Names, paths, domain names and sentences of ordinary words, numbered or not."""
    text = joint.join(words)
    for form in (text, text.upper(), text.title(), f"{text}{joint}{number}", f"https://{text.replace(', ', '.')}/x"):
        assert credential_in(form) is None, form


@given(st.sampled_from(["postgresql", "redis", "amqps", "https"]), word, st.text("abcdefgh123", min_size=1), word)
def test_urls_with_a_login_are_credentials(scheme: str, user: str, password: str, host: str) -> None:
    """Any scheme, any password, with and without a user; without a password it is none."""
    assert credential_in(f"see {scheme}://{user}:{password}@{host}.example.com/x") is not None
    assert credential_in(f"{scheme}://:{password}@{host}") is not None
    assert credential_in(f"{scheme}://{user}@{host}.example.com/x") is None


@pytest.mark.parametrize(
    "piece",
    [
        "a1#B",
        "(",
        "${",
        "curl -u ",
        "mysql -p",
        "PGPASSWORD ",
        "--token ",
        "a",
        "a:",
        "a://b:",
        "arn:aws:secretsmanager:",
        "password:",
        "pin is ",
        "sk-",
        "eyJ",
        "/",
    ],
)
def test_long_lines_are_answered_at_once(piece: str) -> None:
    """No line makes the search take time that grows faster than the line."""
    started = time.process_time()
    credential_in(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 5


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    """No text is too odd."""
    credential_in(text)
