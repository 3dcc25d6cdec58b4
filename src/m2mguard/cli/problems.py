"""Why keys cannot be had, and what to do about it: by the code of the failed exchange, else by the library's own words."""

from __future__ import annotations

import codecs

from m2mguard.cli.exchanges import Exchange
from m2mguard.cli.page import Page
from m2mguard.cli.words import quoted
from m2mguard.net.protocol import TransportErrorCode
from m2mguard.token.strict_json import parse_object

NO_ANSWER = "the issuer took too long, and has not answered yet"
_MORE_TIME = "The issuer is slow, or something on the way is. M2MGUARD_TIMEOUT gives more time."
_COMPARE = "Ask for the same URL from this machine with another tool, and compare."
_ADVICE_BY_CODE: dict[TransportErrorCode, str] = {
    "name_not_resolved": "Check the spelling of the issuer's URL, and this machine's DNS.",
    "no_connection": "Check that the issuer runs, and host, port, firewall and HTTPS_PROXY on the way to it.",
    "connect_timeout": "A firewall may drop the packets. M2MGUARD_CONNECT_TIMEOUT and M2MGUARD_TIMEOUT give more time.",
    "timeout": _MORE_TIME,
    "tls_expired": "Have the issuer's certificate renewed; if it is valid, correct this machine's clock.",
    "tls_name": "Use the host name that the certificate is for, or have one issued for this name.",
    "tls_unknown_ca": "For a certification authority of your own set M2MGUARD_CA_FILE; for a public one, the issuer's server must "
    "send its intermediate certificates, too.",
    "tls_strict": "Have the certificate issued again by the rules of RFC 5280, above all with an Authority Key Identifier. "
    "Python 3.12 and older do not check them.",
    "tls": "Check that the URL's port speaks TLS 1.2 or newer.",
    "proxy": "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, and that the proxy permits the issuer's host.",
    "too_long": "That is no sane key set. M2MGUARD_MAX_BYTES raises the limit, if it really is.",
    "refused_target": "Give the issuer's own https URL; link-local addresses and metadata services are never asked.",
    "broken": "Something other than a healthy HTTP server answers there, or on the way to it.",
    "other": _COMPARE,
}
_ADVICE_BY_WORDS = (
    ("took too long", _MORE_TIME),
    ("the issuer has no metadata", "Give the issuer exactly as it names itself, for Logto by --logto ENDPOINT; "
     "for an issuer without metadata set M2MGUARD_JWKS_URI."),
    ("the issuer's metadata was answered with status 3", "The issuer sends us elsewhere, and redirects are not followed; "
     "give the URL at which it really is."),
    ("the issuer's metadata was answered", "The issuer is in trouble, or this is not its URL."),
    ("the issuer's metadata is", "Something else answers at this URL, such as a proxy's page; give the issuer exactly as it names itself."),
    ("the metadata is another issuer's", "Configure that name, if it is an issuer you trust; tokens carry it as 'iss'."),
    ("another origin", "Logto tells the address under which it was asked. Set M2MGUARD_JWKS_URI if the other address is right."),
    ("the metadata", "The issuer's metadata is broken; set M2MGUARD_JWKS_URI."),
    ("the key set was answered", "The issuer is in trouble, or the key set lies elsewhere (M2MGUARD_JWKS_URI)."),
    ("the key set", "What lies at this URL is not a key set we can use; look at what the issuer publishes there."),
    ("the answer is longer", _ADVICE_BY_CODE["too_long"]),
    ("", _COMPARE),
)  # fmt: skip


def tell_problem(page: Page, problem: str, exchanges: list[Exchange]) -> None:
    """Add what went wrong, what was asked, and what to do."""
    page.line(f"    problem     {problem}")
    for exchange in exchanges:
        page.line(f"    asked       {exchange.url}: {exchange.outcome}")
    if "another issuer's" in problem and exchanges:
        body = (exchanges[-1].body or b"{}").removeprefix(codecs.BOM_UTF8)
        metadata = parse_object(body)  # the library has read it, too
        page.line(f"    it says     that its name is {quoted(metadata.get('issuer'))}")
    page.line(f"    what to do  {advice_for(problem, exchanges[-1].code if exchanges else None)}")


def advice_for(problem: str, code: TransportErrorCode | None = None) -> str:
    """What to do about a problem: by the code of the exchange that failed, else by the first words of the table that are in it."""
    return _ADVICE_BY_CODE[code] if code else next(advice for words, advice in _ADVICE_BY_WORDS if words in problem)
