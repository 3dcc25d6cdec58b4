"""Measures m2mguard beside its peers, in one run, and writes `docs/explanation/benchmarks.md`. Development only."""
