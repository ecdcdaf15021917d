"""Who may do what: tokens, access rules, operators, sessions."""
