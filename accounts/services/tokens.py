"""Secrets that travel in links. The database holds only their SHA-256, and rows are found by it.

A token has 256 random bits, so a plain hash is as good as a slow one; and as the database looks up the hash,
not the token, how long a lookup takes says nothing about a token.
"""

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> tuple[str, str]:
    """(the token, for the link; its hash, for the database)."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, token_hash(token)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
