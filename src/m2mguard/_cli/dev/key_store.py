"""Stores signing keys between restarts: a private directory with one PEM file per algorithm. For development only."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from m2mguard.errors import ConfigurationError
from m2mguard.testing._signing import SigningKey


class KeyStore:
    """Stores the current signing key on disk.

    Args:
        directory: created if it does not exist, readable by its owner only; None stores nothing.

    Raises:
        ConfigurationError: the directory cannot be created.
    """

    def __init__(self, directory: str | None) -> None:
        self._directory = None if directory is None else Path(directory)
        if self._directory is None:
            return
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            (self._directory / ".gitignore").write_text("*\n")
        except OSError as error:
            raise ConfigurationError(
                f"--keys {directory}: the directory cannot be created: {error.strerror}."
            ) from None

    def load(self, algorithm: str) -> SigningKey:
        """Load the stored key of this algorithm, or generate and store a new one.

        Raises:
            ConfigurationError: the file contains no such key.
        """
        file = self._file(algorithm)
        if file is None or not file.exists():
            key = SigningKey.generate(algorithm)
            self.save(key)
            return key
        try:
            return SigningKey.from_pem(file.read_bytes(), algorithm)
        except (OSError, ValueError, TypeError):
            raise ConfigurationError(
                f"--keys: {file} contains no {algorithm} key. Delete it to get a new one."
            ) from None

    def save(self, key: SigningKey) -> None:
        """Store a key and replace the previous one. Blocks while the file is written."""
        file = self._file(key.algorithm)
        if file is None:
            return
        pem = key.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(pem)
        new.replace(file)

    def _file(self, algorithm: str) -> Path | None:
        return None if self._directory is None else self._directory / f"{algorithm}.pem"
