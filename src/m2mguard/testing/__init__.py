"""A local issuer for tests and demonstrations. Nothing that runs in production imports this."""
