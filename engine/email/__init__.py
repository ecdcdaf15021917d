"""E-mails: how a message is made, sent, and what became of it."""
