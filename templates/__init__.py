"""Templates of pages and e-mails."""
