"""Coverage-guided fuzzing of what an attacker can send. `make fuzz`; no part of a release."""
