"""Rules of text: addresses, URLs, URNs, keywords."""
