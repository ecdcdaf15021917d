"""E-mails: making a message, sending it, and recording what became of it."""
