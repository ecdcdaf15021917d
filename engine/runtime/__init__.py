"""What any process stands on: clock, circuits, fair shares, signals, files."""
