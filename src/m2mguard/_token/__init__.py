"""Pure rules about one token. No sockets, threads, logging, or clock of its own."""
