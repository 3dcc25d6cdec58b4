"""Measures m2mguard beside its peers, in one run, and writes `docs/benchmarks.md`. Development only."""
