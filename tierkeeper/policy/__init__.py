"""What a policy says and decides. Pure: no clock, no I/O, no logging."""
