"""Drills: the faults of an issuer, put to m2mguard and to its peers in one run. `python -m benchmarks.drills` writes docs/explanation/drills.md."""
