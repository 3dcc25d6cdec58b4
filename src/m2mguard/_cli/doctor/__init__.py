"""`m2mguard doctor`: check settings, network, keys, clock, log and routes of a service, and say what is wrong in plain words."""
