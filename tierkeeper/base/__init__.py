"""What everything may use: callers, states, errors, names, clock, log, metrics. No I/O libraries."""
