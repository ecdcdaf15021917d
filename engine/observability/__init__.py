"""What operators see of processes: metrics, logs, traces, heartbeats, history, audit."""
