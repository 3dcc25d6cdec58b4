"""One issuer's public keys: when they are fetched, how, and how long they are used. All I/O goes through `net`."""
