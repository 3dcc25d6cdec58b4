"""Certificates with one flaw, each under its own authority. Everything else follows RFC 5280."""

import dataclasses
import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
DAY = dt.timedelta(days=1)
ALL_YEAR = (-100 * DAY, 265 * DAY)


@dataclass(frozen=True, kw_only=True)
class Flaws:
    """The flaws of a certificate, none by default. Times are relative to now."""

    names: tuple[str, ...] = ("127.0.0.1", "localhost")
    valid: tuple[dt.timedelta, dt.timedelta] = ALL_YEAR
    self_signed: bool = False
    empty_subject: bool = False
    leaf_without: frozenset[str] = frozenset()  # "authority key id", "key id", "names"
    authority_valid: tuple[dt.timedelta, dt.timedelta] = ALL_YEAR
    authority_without: frozenset[str] = frozenset()  # "key usage", "constraints", "key id"
    constraints_critical: bool = True
    signed_by_another_key: bool = False  # of an authority with the same name


def make(directory: Path, **flaws) -> tuple[ssl.SSLContext, str]:
    """Return a server's context and the CA file for the client."""
    flaw = dataclasses.replace(Flaws(), **flaws)
    authority_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    signer = ec.generate_private_key(ec.SECP256R1()) if flaw.signed_by_another_key else authority_key
    authority, leaf = (
        _authority(authority_key, flaw),
        _leaf(leaf_key, leaf_key if flaw.self_signed else signer, authority_key, flaw),
    )
    ca_file, chain = directory / "authority.pem", directory / "leaf.pem"
    ca_file.write_bytes(authority.public_bytes(PEM))
    private = leaf_key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(leaf.public_bytes(PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, str(ca_file)


def _authority(key: ec.EllipticCurvePrivateKey, flaw: Flaws) -> x509.Certificate:
    builder = _builder("authority", "authority", key, flaw.authority_valid)
    if "constraints" not in flaw.authority_without:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), flaw.constraints_critical)
    if "key usage" not in flaw.authority_without:
        builder = builder.add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True
        )
    if "key id" not in flaw.authority_without:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256())


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    flaw: Flaws,
) -> x509.Certificate:
    builder = _builder(
        "" if flaw.empty_subject else "leaf", "leaf" if flaw.self_signed else "authority", key, flaw.valid
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if "names" not in flaw.leaf_without:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in flaw.names]), critical=False)
    if "key id" not in flaw.leaf_without:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if "authority key id" not in flaw.leaf_without:
        named = key if flaw.self_signed else authority
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(named.public_key()), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, valid: tuple[dt.timedelta, dt.timedelta]
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_distinguished(subject))
        .issuer_name(_distinguished(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
    )


def _distinguished(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
