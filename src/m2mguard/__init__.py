"""m2mguard tells an API which application is calling it."""
