"""What everything may use: values, settings, errors, names, clock, log, metrics. No I/O libraries."""
