"""Rules of text: addresses, URLs, URNs, keywords, control characters, times, types of JSON."""
