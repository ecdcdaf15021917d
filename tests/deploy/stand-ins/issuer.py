"""A token issuer with TLS, whose keys are at /jwks. `issuer.py PEM KEY CLAIMS FILE` writes a token with these
claims into a file, and serves until it is ended.
"""

from __future__ import annotations

import http.server
import json
import ssl
import sys
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

KEY = ec.generate_private_key(ec.SECP256R1())
SET = json.dumps({"keys": [ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "one", "alg": "ES256"}]})


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/jwks" else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(SET.encode())


def main(certificate: str, key: str, claims: str, token: str) -> None:
    now = int(time.time())
    said = {"iss": "https://issuer.example.org", "iat": now, "exp": now + 3600} | json.loads(claims)
    Path(token).write_text(jwt.encode(said, KEY, algorithm="ES256", headers={"kid": "one"}))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("", 443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main(*sys.argv[1:])
