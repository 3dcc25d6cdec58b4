"""Commands for those who work on m2mguard. Not part of a release."""
