"""Stored templates of e-mails: versions, the schema of their values, and rendering in processes of its own."""
