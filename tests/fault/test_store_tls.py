"""An S3 store behind TLS: with the authority that the connection names, and never without one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast.errors import StoreError
from holdfast.storage.opening import open_store
from holdfast.storage.protocol import Store
from holdfast.values.connection import Connection
from holdfast_embedded.seaweedfs import SeaweedFS
from store_contract import LARGE, large_pieces
from tcp_proxy import TcpProxy


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate of an authority (ca.pem), and a server's certificate and key."""
    folder = tmp_path_factory.mktemp("tls")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of these tests")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=None), ca_key)
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    (folder / "ca.pem").write_bytes(ca)
    (folder / "server.pem").write_bytes(_certificate(server, ca_name, key.public_key(), address, ca_key))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


@pytest.fixture
def connection(seaweed: SeaweedFS, authority: Path) -> Iterator[Connection]:
    """The S3 server's connection by way of a proxy that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    with TcpProxy(seaweed.port, tls=context) as proxy:
        extra = {"endpoint_url": f"https://127.0.0.1:{proxy.port}", "region_name": "us-east-1"}
        yield replace(seaweed.connection("tls"), extra=extra)


def test_the_named_authority_is_trusted(s3_store: Store, connection: Connection, authority: Path) -> None:
    """A private authority's certificate is named as verify, as in other AWS connections of Airflow."""
    extra = {**connection.extra, "verify": str(authority / "ca.pem")}
    store = open_store(s3_store.url, replace(connection, extra=extra))
    assert store.put("a", large_pieces()) == LARGE
    assert s3_store.head("a").size_bytes == LARGE


def test_an_unknown_authority_is_not(s3_store: Store, connection: Connection) -> None:
    """The message says that it is the certificate, the hint which field is for that."""
    with pytest.raises(StoreError, match="its TLS certificate is not trusted") as caught:
        open_store(s3_store.url, connection).put("a", [b"x"])
    assert caught.value.hint is not None
    assert "verify" in caught.value.hint


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    extension: x509.ExtensionType,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=False)
    )
    return built.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
