"""The revisions of this code, told without Alembic."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

import models.migrations
from tierkeeper.catalog import revisions


def test_the_revisions_are_those_of_alembic() -> None:
    """The names of the migrations' files tell the same line, and the same head, as Alembic reads in them."""
    config = Config()
    config.set_main_option("script_location", str(Path(models.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert revisions.head() == scripts.get_current_head()
    assert list(revisions.known()) == [each.revision for each in scripts.walk_revisions()][::-1]
