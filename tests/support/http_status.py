"""What web servers that the tests start answer: the status, with or without a login, also where it is a refusal."""

import base64
import urllib.error
import urllib.request


def status(url: str, *, login: str | None = None, method: str = "GET", timeout: float = 10) -> int:
    """Return the HTTP status, with ``user:password`` if given. Raises OSError while nobody answers."""
    headers = {} if login is None else {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310  our own server
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310  as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:  # it is an open file, which nobody else closes
            return error.code


def served(url: str) -> bool:
    """Say whether somebody answers yet, even by a refusal."""
    try:
        status(url, timeout=2)
    except OSError:
        return False
    return True
