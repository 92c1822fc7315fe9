"""What guards how settings are read and how their secrets are shown, broken one at a time."""

from functools import partial

from mutations.mutant import Edit, Mutant, one_edit

_ENVFILE = "tierkeeper/settings/envfile.py"
_GATHER = "tierkeeper/settings/gather.py"
_UNREADABLE = "tests/unit/settings/test_settings.py::test_what_cannot_be_read_is_named"
_URLS = "client/src/tierkeeper_client/service_urls.py"
_SECRETS = "tierkeeper/base/secrets.py"
_LINES = "tests/unit/settings/test_envfile.py::"
_CLEAR = "tests/unit/settings/test_service_urls.py::"
_SHOWN = "tests/unit/base/test_secrets.py::"


def _line(what: str, edit: Edit, test: str) -> Mutant:
    return Mutant("lines of .env", what, (edit,), (f"{_LINES}{test}",))


_url = partial(one_edit, "URLs of services")


CONFIGURING = (
    Mutant(
        "lines of .env",
        "the tenant is left out",
        (Edit("tierkeeper/cli/support/params.py", "opening.dotenv_value(TENANT)", "None"),),
        ("tests/integration/cli/commands/test_storing_and_reading.py::test_a_default_tenant_of_dotenv_is_one_too",),
    ),
    _line(
        "one that cannot be read is left out",
        Edit(_ENVFILE, "        if binding.error:\n", "        if False:\n"),
        "test_a_line_that_cannot_be_read",
    ),
    _line(
        "a name without a value is left out",
        Edit(
            _ENVFILE,
            """ has no '='.", _WRITE)""",
            """ has no '='.", _WRITE) if False else None\n            continue""",
        ),
        "test_a_line_that_cannot_be_read",
    ),
    _line(
        "the last of two values wins",
        Edit(
            _ENVFILE,
            "        if values.setdefault(name, value) != value:\n",
            "        if values.update({name: value}):\n",
        ),
        "test_a_line_that_cannot_be_read",
    ),
    _line(
        "open quotes take the settings below with them",
        Edit(_ENVFILE, "        if _SWALLOWED.search(binding.value):\n", "        if False:\n"),
        "test_a_line_that_cannot_be_read",
    ),
    _line(
        "what a value refers to is empty where it is not set",
        Edit(_ENVFILE, " and part.name not in known and part.default is None", " and False"),
        "test_a_line_that_cannot_be_read",
    ),
    _line(
        "a reference in another form is text",
        Edit(_ENVFILE, '    if "${" in _REFERENCE.sub(" ", value):\n', "    if False:\n"),
        "test_a_line_that_cannot_be_read",
    ),
    _line(
        "a reference in single quotes is resolved",
        Edit(_ENVFILE, "        if not literal:\n", "        if True:\n"),
        "test_single_quotes_keep_what_they_have",
    ),
    _line(
        "what another program's variable did not become is a value",
        Edit(_ENVFILE, "values.keys() - unresolved}}", "values}}"),
        "test_a_line_that_cannot_be_read",
    ),
    _line(
        "a name that is nearly ours passes",
        Edit(_GATHER, "    if meant != name:\n", "    if False:\n"),
        "test_a_name_that_is_nearly_ours",
    ),
    _line(
        "a name that is nearly ours passes in the environment",
        Edit(_GATHER, "    if not ours:\n", "    if not ours and layer is Layer.DOTENV:\n"),
        "test_a_name_that_is_nearly_ours",
    ),
    _line(
        "another program's name is taken for ours",
        Edit(_GATHER, " or first in _OTHERS:", ":"),
        "test_what_other_programs_have",
    ),
    _line(
        "what is no file counts as none",
        Edit(_GATHER, "    if not os.path.lexists(DOTENV) or", "    if not DOTENV.is_file() or"),
        "test_what_has_the_name_is_read",
    ),
    _line(
        "the last of two members of a JSON group wins",
        Edit(_GATHER, "        if name in known:\n            raise", "        if False:\n            raise"),
        "test_a_group_that_says_two_things",
    ),
    Mutant(
        "settings",
        "JSON of a group that Python cannot hold is an unexpected error",
        (
            Edit(
                _GATHER,
                "    except (ValueError, RecursionError):  # no JSON",
                "    except json.JSONDecodeError:  # no JSON",
            ),
        ),
        (_UNREADABLE,),
    ),
    Mutant(
        "settings",
        "a settings file that Python cannot hold is an unexpected error",
        (
            Edit(
                _GATHER,
                "        except (OSError, ValueError, RecursionError) as error:",
                "        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:",
            ),
        ),
        (_UNREADABLE,),
    ),
    _url(
        "an '@' behind the server passes",
        Edit(_URLS, ' or (parts.netloc and "@" in parts.path + parts.query)', ""),
        f"{_CLEAR}test_a_url_that_is_in_doubt",
    ),
    _url(
        "a port is any text",
        Edit(_URLS, "        if port is not None and not (", "        if False and not ("),
        f"{_CLEAR}test_a_url_that_is_in_doubt",
    ),
    _url(
        "the client takes one that is in doubt",
        Edit(
            "client/src/tierkeeper_client/client.py",
            "if url is not None and scheme in",
            "if scheme is None and scheme in",
        ),
        f"{_CLEAR}test_a_url_that_is_in_doubt",
    ),
    _url(
        "a password ends at its first odd character",
        Edit(_SECRETS, r"(?:(?!://)\S)*(?=@)", r"[^/?#\s]*(?=@)"),
        f"{_SHOWN}test_urls_in_a_text",
    ),
    _url(
        "a login that no parser accepts is shown",
        Edit(_SECRETS, "    if found is None:\n        return masked(url)\n", "    return masked(url)\n"),
        f"{_SHOWN}test_a_url_with_a_login",
    ),
    _url(
        "an error quotes the value",
        Edit("tierkeeper/settings/settings.py", "shown(name, value) if isinstance(value, str)", "value if True"),
        f"{_CLEAR}test_a_value_in_an_error",
    ),
    _url(
        "any database passes",
        Edit(_URLS, "    if not _DATABASE.fullmatch(text):\n", "    if False:\n"),
        f"{_CLEAR}test_a_url_that_is_in_doubt",
    ),
    _url(
        "a result store may leave out how certificates are checked",
        Edit(_URLS, """"rediss" and "ssl_cert_reqs" not in options""", """"rediss" and False"""),
        f"{_CLEAR}test_results_that_celery_cannot_read",
    ),
    _url(
        "options that a library cannot read are its own error",
        Edit(
            "client/src/tierkeeper_client/client.py",
            "(TypeError, ValueError) as error:\n            raise",
            "ZeroDivisionError as error:\n            raise",
        ),
        f"{_CLEAR}test_options_that_a_library_cannot_read",
    ),
)
