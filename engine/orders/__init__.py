"""Orders: what a system asked for, from the posted body to the e-mails that come of it."""
