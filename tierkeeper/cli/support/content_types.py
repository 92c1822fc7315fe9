import mimetypes


def guess_type(name: str) -> str:
    """Return the content type that the name's ending suggests."""
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
