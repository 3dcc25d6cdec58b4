"""`m2mguard doctor`: checks settings, network, keys, clock, log and routes of a service, and explains what is wrong."""
