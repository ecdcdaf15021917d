"""Orders: from the posted body to the rows of their e-mails."""
