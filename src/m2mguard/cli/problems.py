"""Why keys cannot be had, and what to do about it. A table from the library's own words to advice."""

from __future__ import annotations

from m2mguard.cli.exchanges import Exchange
from m2mguard.cli.page import Page
from m2mguard.cli.words import quoted
from m2mguard.token.strict_json import parse_object

NO_ANSWER = "the issuer took too long, and has not answered yet"
_ADVICE = (
    ("the host name cannot be resolved", "Check the spelling of the issuer's URL, and this machine's DNS."),
    ("no connection can be made", "Check that the issuer runs, and host, port, firewall and HTTPS_PROXY on the way to it."),
    ("the connection took too long", "A firewall may swallow the packets. M2MGUARD_CONNECT_TIMEOUT and M2MGUARD_TIMEOUT give more time."),
    ("TLS failed", "Check the certificate, and this machine's clock; for a certification authority of your own set M2MGUARD_CA_FILE."),
    ("took too long", "The issuer is slow, or something on the way is. M2MGUARD_TIMEOUT gives more time."),
    ("the issuer has no metadata", "Give the issuer exactly as it names itself, for Logto by --logto ENDPOINT; "
     "for an issuer without metadata set M2MGUARD_JWKS_URI."),
    ("the issuer's metadata was answered with status 3", "The issuer sends us elsewhere, and redirects are not followed; "
     "give the URL at which it really is."),
    ("the issuer's metadata was answered", "The issuer is in trouble, or this is not its URL."),
    ("the issuer's metadata is", "Something else answers at this URL, such as a proxy's page; give the issuer exactly as it names itself."),
    ("the metadata is another issuer's", "Configure that name, if it is an issuer you trust; tokens carry it as 'iss'."),
    ("another origin", "Logto tells the address under which it was asked. Set M2MGUARD_JWKS_URI if the other address is right."),
    ("the metadata's jwks_uri", "The issuer's metadata is broken; set M2MGUARD_JWKS_URI."),
    ("the key set was answered", "The issuer is in trouble, or the key set lies elsewhere (M2MGUARD_JWKS_URI)."),
    ("the key set", "What lies at this URL is not a key set we can use; look at what the issuer publishes there."),
    ("the answer is longer", "That is no sane key set. M2MGUARD_MAX_BYTES raises the limit, if it is meant."),
    ("the exchange broke off", "Something other than a healthy HTTP server answers there, or on the way to it."),
    ("", "Ask for the same URL from this machine with another tool, and compare."),
)  # fmt: skip


def tell_problem(page: Page, problem: str, exchanges: list[Exchange]) -> None:
    """Add what went wrong, what was asked, and what to do."""
    page.line(f"    problem     {problem}")
    for exchange in exchanges:
        page.line(f"    asked       {exchange.url}: {exchange.outcome}")
    if "another issuer's" in problem and exchanges:
        metadata = parse_object(exchanges[-1].body or b"{}")  # the library has read it, too
        page.line(f"    it says     that its name is {quoted(metadata.get('issuer'))}")
    page.line(f"    what to do  {advice_for(problem)}")


def advice_for(problem: str) -> str:
    """What to do about a problem: the advice of the first words of the table that stand in it."""
    return next(advice for words, advice in _ADVICE if words in problem)
