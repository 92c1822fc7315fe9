"""Questions that a command asks before it does what cannot be taken back."""

import click

from tierkeeper.base.errors import AnswerMissing
from tierkeeper.cli.support import streams


def confirm(question: str, *, option: str = "--yes") -> None:
    """Ask ``question`` on standard error; any answer but yes raises click.Abort.

    Raises AnswerMissing, which names the ``option`` that says yes before, where standard input is no terminal and has
    no answer, as in a cron job.
    """
    if not streams.open_for_reading():
        raise AnswerMissing(question=question, option=option)
    try:
        yes = click.confirm(question, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError) and not streams.can_ask():
            click.echo(err=True)  # the question's line has no end yet
            raise AnswerMissing(question=question, option=option) from None
        raise
    if not yes:
        raise click.Abort
