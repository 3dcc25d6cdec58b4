"""Key pairs and certificates of the applications that authenticate without a secret, and how their provider is told of them."""

import base64
import datetime as dt
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from m2mguard.testing import SigningKey

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "ML-DSA-44")
A_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A self-signed certificate for loopback and its key, as PEM."""

    certificate: bytes
    key: bytes
    jwk: dict[str, object]

    @classmethod
    def make(cls, owner: str = "m2mguard test") -> "Certificate":
        """One with a new key."""
        signing = SigningKey.generate("ES256")
        certificate = cls.of(signing, owner)
        der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
        chain = [base64.b64encode(der).decode()]
        return cls(certificate=certificate, key=private_pem(signing), jwk={**signing.public_jwk, "x5c": chain})

    @staticmethod
    def of(signing: SigningKey, owner: str = "m2mguard test") -> bytes:
        """The PEM of a certificate of this key, which is its own authority: of several, each needs an owner of its own."""
        key = signing.private_key
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, owner)])
        now = dt.datetime.now(dt.UTC)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
        )
        usage |= {"digital_signature": True, "key_cert_sign": True, "encipher_only": False, "decipher_only": False}
        loopback = x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        )
        return (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - A_DAY, now + A_DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(loopback, critical=False)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .sign(key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )


def private_pem(key: SigningKey, password: bytes | None = None) -> bytes:
    """The private key as the PEM of a file."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
