"""What operators see and keep going: health, housekeeping, what is parked, messages that did not end well, ``init``.

Nothing here moves or deletes content.
"""
