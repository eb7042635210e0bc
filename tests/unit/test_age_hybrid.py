"""The post-quantum hybrid recipients, against the specification's own key and file key."""

import hashlib

import pytest

import age_builder as build
from holdfast.crypto import age, bech32, hybrid, raw_base64
from holdfast.crypto.hybrid import HybridIdentity, HybridRecipient
from holdfast.crypto.x25519 import X25519Identity
from holdfast.errors import DecryptError, NoIdentityMatch, UsageError

IDENTITY = HybridIdentity(hashlib.sha256(b"hybrid").digest())
# C2SP age.md, "The MLKEM768-X25519 hybrid post-quantum recipient type"; of the recipient only its SHA-256.
SPEC_IDENTITY = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
SPEC_RECIPIENT_SHA256 = "a091dd7e0ee9d62b75173dcc98441a0424baa941e66a8776e570a4ae60ff61ea"


def stanza() -> list[str]:
    """A stanza for ``IDENTITY`` around the builder's file key."""
    made = IDENTITY.recipient().wrap(build.FILE_KEY)
    return [f"-> {made.kind} {made.arguments[0]}", *build.body(made.body)]


def opened(*stanzas: list[str], identity: age.Identity = IDENTITY) -> bytes:
    """The plaintext of a file with these stanzas."""
    return b"".join(age.decrypt([build.age_file(b"hello", *stanzas)], (identity,)))


def with_encapsulation(change: object) -> list[str]:
    """The stanza with its encapsulation changed."""
    head, *rest = stanza()
    enc = raw_base64.decode(head.split(" ")[2])
    return [f"-> mlkem768x25519 {build.b64(change(enc))}", *rest]  # type: ignore[operator]


def test_recipient_is_the_specifications() -> None:
    """The key expansion and both public keys."""
    (identity,) = age.parse_identity_file(SPEC_IDENTITY)
    assert hashlib.sha256(str(identity.recipient()).encode()).hexdigest() == SPEC_RECIPIENT_SHA256


def test_round_trip_with_several_recipients() -> None:
    """Each of two opens the file, and text forms are read back."""
    other = HybridIdentity.generate()
    recipients = [age.parse_recipient(str(key.recipient())) for key in (IDENTITY, other)]
    file = b"".join(age.encrypt([b"hello"], recipients))
    for key in (IDENTITY, other):
        (again,) = age.parse_identity_file(key.secret_text())
        assert b"".join(age.decrypt([file], (again,))) == b"hello"


def test_unknown_and_classic_stanzas_are_passed_over() -> None:
    """Also in a mix that would not be written here."""
    assert opened(["-> grease", ""], build.x25519(), stanza(), ["-> grease", ""]) == b"hello"


def test_other_identity_does_not_match() -> None:
    """Neither another of its kind nor a classic one."""
    for identity in (HybridIdentity.generate(), X25519Identity(build.SECRET)):
        with pytest.raises(NoIdentityMatch):
            opened(stanza(), identity=identity)


@pytest.mark.parametrize("place", [0, 1087, 1088, 1118])
def test_changed_encapsulation_does_not_match(place: int) -> None:
    """A change in either half gives another secret, which opens nothing."""
    changed = with_encapsulation(lambda enc: enc[:place] + bytes([enc[place] ^ 1]) + enc[place + 1 :])
    with pytest.raises(NoIdentityMatch):
        opened(changed)


@pytest.mark.parametrize("share", build.LOW_ORDER_POINTS, ids=lambda share: share.hex()[:8])
def test_share_of_low_order_is_refused(share: bytes) -> None:
    """The classic half must not be given away."""
    with pytest.raises(DecryptError, match="low order"):
        opened(with_encapsulation(lambda enc: enc[:1088] + share))


def test_malformed_stanzas_are_refused() -> None:
    """Arguments and body of exact number, length and spelling."""
    head, *rest = stanza()
    enc = head.split(" ")[2]
    for bad in (
        ["-> mlkem768x25519", *rest],
        [head + " more", *rest],
        with_encapsulation(lambda enc: enc[:-1]),
        with_encapsulation(lambda enc: enc + b"\0"),
        [f"-> mlkem768x25519 {build.not_canonical(enc)}", *rest],
        [head, build.b64(bytes(31))],
        [head, *build.body(bytes(48))],
        [head, build.not_canonical(rest[0])],
    ):
        with pytest.raises(DecryptError) as caught:
            opened(bad)
        assert not isinstance(caught.value, NoIdentityMatch)


def test_hybrid_share_in_a_classic_stanza_is_refused() -> None:
    """The lengths keep the kinds apart."""
    head, *rest = stanza()
    with pytest.raises(DecryptError, match="1120 bytes instead of 32"):
        opened([head.replace("mlkem768x25519", "X25519"), *rest], identity=X25519Identity(build.SECRET))


def test_kind_in_other_case_is_unknown() -> None:
    """Kinds are compared exactly."""
    head, *rest = stanza()
    with pytest.raises(NoIdentityMatch):
        opened([head.replace("mlkem", "MLKEM"), *rest])


def test_mixing_with_classic_recipients_is_refused() -> None:
    """The file would be as weak as the weaker kind."""
    with pytest.raises(UsageError, match="mixed") as caught:
        age.encrypt([b""], [IDENTITY.recipient(), X25519Identity(build.SECRET).recipient()])
    assert caught.value.hint


def test_unusable_recipient_is_refused() -> None:
    """Of wrong length, or with coefficients out of range."""
    with pytest.raises(UsageError, match="instead of 1216"):
        age.parse_recipient(bech32.encode("age1pq", bytes(100)))
    with pytest.raises(UsageError, match="not a usable key"):
        HybridRecipient(b"\xff" * 1216).wrap(build.FILE_KEY)


def test_missing_support_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older library gives one clear sentence, not an import error."""

    def unsupported() -> None:
        raise ImportError("no mlkem")

    monkeypatch.setattr(hybrid, "_require_mlkem", unsupported)
    with pytest.raises(UsageError, match="offers no ML-KEM-768") as caught:
        IDENTITY.recipient()
    assert "cryptography 50" in str(caught.value.hint)


def test_seed_is_never_shown() -> None:
    """Neither repr nor str holds it."""
    assert IDENTITY.secret_text() not in repr(IDENTITY) + str(IDENTITY)
    assert str(IDENTITY.seed) not in repr(IDENTITY)
