"""Policies: their documents, their matching and the decision. Pure: no clock, no I/O, no logging."""
