"""API keys: what systems without a token issuer send in place of a bearer token.

secrets.py   a key's text: how it is made and recognised
keyring.py   the keys that a web process knows: whose key came with a request
guests.py    to whom a team key may send
"""
