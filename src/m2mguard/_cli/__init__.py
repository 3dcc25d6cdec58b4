"""The command line: explains refusals, fetches and lists keys, checks a setup. `ResourceServer` verifies the tokens."""
