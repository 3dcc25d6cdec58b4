"""`explain` with a token that is bound to a certificate."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from m2mguard._token.confirmation import thumbprint_of
from tests.client_keys import Certificate


@pytest.fixture
def bound(issuer, tmp_path):
    """A token that is bound to the certificate in the file `ours`; the file `others` holds another one."""
    for name in ("ours", "others"):
        made = Certificate.make(name)
        (tmp_path / name).write_bytes(made.certificate + made.key)
    certificate = x509.load_pem_x509_certificate((tmp_path / "ours").read_bytes())
    return issuer.mint(claims={"cnf": {"x5t#S256": thumbprint_of(certificate.public_bytes(Encoding.DER))}})


def test_the_certificate_is_the_tokens(explain, bound, tmp_path):
    status, page = explain(bound, "--certificate", str(tmp_path / "ours"))
    assert status == 0
    assert "the certificate's thumbprint is" in page


def test_the_certificate_is_another_one(explain, bound, tmp_path):
    status, page = explain(bound, "--certificate", str(tmp_path / "others"))
    assert status == 1
    assert "bound the token to another certificate than this one" in " ".join(page.split())


def test_without_a_certificate_the_page_says_how_to_give_one(explain, bound):
    status, page = explain(bound)
    assert status == 1
    assert "m2mguard explain --certificate FILE" in " ".join(page.split())


def test_a_certificate_changes_nothing_for_an_unbound_token(explain, issuer, bound, tmp_path):
    assert explain(issuer.mint(), "--certificate", str(tmp_path / "others"))[0] == 0


@pytest.mark.parametrize(
    ("content", "words"), [(None, "the file cannot be read"), (b"no PEM", "this is no certificate in PEM form")]
)
def test_a_file_without_a_certificate_is_told(explain, issuer, tmp_path, content, words):
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    status, page = explain(issuer.mint(), "--certificate", str(tmp_path / "file"))
    assert status == 2
    assert words in " ".join(page.split())
