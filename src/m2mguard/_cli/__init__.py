"""The command line: why a token is refused, whether the keys can be had, which keys they are. Verifies nothing by itself."""
