"""Drills: an issuer's faults, put to m2mguard and its peers in one run. `python -m benchmarks.drills` writes docs/explanation/drills.md."""
