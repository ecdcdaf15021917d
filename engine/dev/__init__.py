"""An installation of one's own machine: embedded parts, the inbox, the demo."""
