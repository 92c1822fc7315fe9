"""Values of JSON, compared as PostgreSQL compares ``jsonb``."""


def equal_json(one: object, other: object) -> bool:
    """Return True if both are the same JSON: ``1`` is ``1.0``, and no ``true``, which Python takes for the number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
