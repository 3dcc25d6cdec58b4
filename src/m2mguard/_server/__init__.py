"""The resource server: its settings, the verification of a token, and the answers to refused requests."""
