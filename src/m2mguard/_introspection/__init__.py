"""Asks one issuer about opaque tokens (RFC 7662, RFC 9701): settings, one question, its answer, and who waits for which."""
