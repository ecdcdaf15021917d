"""What every process needs: clock, circuits, fair shares, signals, children, ports, files."""
