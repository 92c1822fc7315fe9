"""The base layer, imported by all others: callers, states, errors, ids, clock, log, metrics. No I/O libraries."""
