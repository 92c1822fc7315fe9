"""The documented journeys, run as a user runs them: real processes, real services."""
