"""Passwords are masked wherever a URL or a connection string is shown, also in one that no parser accepts."""

import pytest

from tierkeeper.base.secrets import masked, masked_url

#: what people write into a setting with a login; "hush" is the password, or a part of it
LOGINS = [
    "redis://:hush@cache/0",
    "redis://:hush/hush@cache/0",
    "redis://:12/hush@cache/0",
    "redis://:hush?hush@cache/0",
    "redis://:hush#hush@cache/0",
    "redis://:hush@hush@cache/0",
    "redis://:hush:hush@cache/0",
    "redis://:hush hush@cache/0",
    "redis://:hush\nhush@cache/0",
    "redis://:hush%@cache/0",
    "redis://hush@cache/0",
    "amqp://us/er:hush@rabbit//",
    "amqp://hush/x:y@rabbit//",
    "amqp:/user:hush@rabbit//",
    "amqp:user:hush@rabbit//",
    "user:hush@rabbit//",
    "amqp://u:hush@one;amqp://u:hush@two",
    "postgresql://u:hush://hush@db/x",
    "postgresql://u:p@db/x?password=hush&sslpassword=hush",
    "postgresql://u:hush/hush@db/x?options=-csearch_path=a@b",
    "postgres://u:[hush@db/x",
    "host=db user=u password=hush dbname=x",
    "host=db password='hush hush' dbname=x",
    "dbname=x;Password=hush",
]


@pytest.mark.parametrize("url", LOGINS, ids=repr)
def test_a_url_with_a_login(url: str) -> None:
    """Nothing of a password is shown, wherever a parser would put it."""
    shown = masked_url(url)
    assert "hush" not in shown
    assert "•••" in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hush@db:5432/x?sslmode=require", "postgresql://u:•••@db:5432/x?sslmode=require"),
        ("postgresql://u@db/x", "postgresql://u@db/x"),
        ("postgresql:///x?host=/run", "postgresql:///x?host=/run"),
        ("amqp://u:hush@rabbit//", "amqp://u:•••@rabbit//"),
        ("redis+socket:///home/me@corp/valkey.sock?virtual_host=0", "redis+socket:///home/me@corp/valkey.sock?virtual_host=0"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("loud", "loud"),
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(url: str, shown: str) -> None:
    """Scheme, user, host and options can be read."""
    assert masked_url(url) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no route to amqp://u:hu/sh@h// today", "no route to amqp://u:•••@h// today"),
        ("at redis://:a@h1 and redis://:b@h2", "at redis://:•••@h1 and redis://:•••@h2"),
        ("s3://b?access_key=A&secret_key=B&region=x", "s3://b?access_key=•••&secret_key=•••&region=x"),
        ("file:///srv/a:b@c and s3://bucket/a@3", "file:///srv/a:b@c and s3://bucket/a@3"),
        ('connection "host=db password=hush user=u" failed', 'connection "host=db password=••• user=u" failed'),
        ("mail me@example.org at 10:00", "mail me@example.org at 10:00"),
    ],
)
def test_urls_in_a_text(text: str, shown: str) -> None:
    """In an error or a line of the log the words around them stay."""
    assert masked(text) == shown
