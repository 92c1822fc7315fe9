"""What a session says of the home."""

from pathlib import Path

import pytest

from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.state import State


def test_a_home_that_the_command_made_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only by the command that made it, on standard error."""
    state = State()
    state.home = tmp_path / "home"
    told = f"made a new home at {state.home}; --home or TIERKEEPER_HOME names another\n"
    for makes, said in ((False, ""), (True, told), (False, "")):
        with Session(state) as session:
            assert session.settings.home == state.home
            if makes:
                state.home.mkdir()
        printed = capsys.readouterr()
        assert (printed.out, printed.err) == ("", said)
