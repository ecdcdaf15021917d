"""What is known of an address: told, and erased.

person.py      the address in all the ways in which it may stand somewhere
windows.py     tables without an index on it, walked through in pieces
export.py      all that is known
erasure.py     its removal, in short transactions
recipients.py  orders without it
portions.py    recipients that followed their order, likewise
"""
