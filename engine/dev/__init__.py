"""An installation on one's own machine: embedded parts, the inbox, the demo."""
