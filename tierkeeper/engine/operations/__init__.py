"""What operators watch and maintain: health, housekeeping, parked work, messages that failed, and ``init``.

No copy in a tier is moved or deleted here; uploads that no message needs are deleted from staging.
"""
