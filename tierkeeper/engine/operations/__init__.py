"""What operators watch and maintain: health, housekeeping, parked work, messages that failed, and ``init``.

Nothing here moves or deletes content.
"""
