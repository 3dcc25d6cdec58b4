"""The issuer's keys: parsed, kept fresh, handed out. Only `source` has effects, and those go through `net`."""
