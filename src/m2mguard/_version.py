"""The version, in one place: the build, the command line and the transport's `User-Agent` read it. Imports nothing."""

__version__ = "0.1.0"
