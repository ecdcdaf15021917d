"""Tokens: who sent a request, proven by a signature (RFC 7519, RFC 8725; contract 1.1).

keys         public keys out of JSON Web Key sets, PEM files and X.509 certificates
key_sets     the keys of bearer tokens: files and https addresses of key sets
issuers      the keys of platform tokens: one PEM file per issuer
verifier     token → Caller
development  the key pair and tokens of an installation on embedded defaults
"""

from __future__ import annotations

from engine.auth.tokens.development import DevelopmentKey
from engine.auth.tokens.issuers import PlatformKeys
from engine.auth.tokens.key_sets import BearerKeys
from engine.auth.tokens.verifier import Verifier

__all__ = ["BearerKeys", "DevelopmentKey", "PlatformKeys", "Verifier"]
