"""What the adapters share: which requests need no token, and the marks by which routes are listed. No framework here."""
