import pickle

from tierkeeper_client.errors import InvalidInput, InvalidName, TaskRefused, TierkeeperError, from_answer


def test_an_installed_error_comes_back_as_itself() -> None:
    """An answer of a worker becomes the class it was, with the worker's own words."""
    sent = InvalidName(field="name", value="..", problem="it climbs", fix="Stay.")
    received = from_answer(sent.as_dict())
    assert type(received) is InvalidName
    assert (str(received), received.data, received.code) == (str(sent), sent.data, "InvalidName")


def test_a_sentence_has_one_full_stop() -> None:
    """What a library says with a full stop ends the template's own sentence; what ends otherwise stays as it is."""
    for problem, said in (
        ("refused.", "refused. Mend it."),
        ("refused", "refused. Mend it."),
        ("so…", "so…. Mend it."),
    ):
        error = InvalidInput(field="a", value="b.", problem=problem, fix="Mend it.")
        assert str(error) == f"a 'b.' is not usable: {said}"
        assert error.data["problem"] == problem


def test_an_error_that_is_not_installed_keeps_its_code() -> None:
    """An answer whose class is unknown here still has its code, message and data."""
    received = from_answer({"error": "FromTheFuture", "message": "It {is} late. Wait.", "hour": "25"})
    assert isinstance(received, TaskRefused)
    assert (received.code, str(received), received.data["hour"]) == ("FromTheFuture", "It {is} late. Wait.", "25")


def test_errors_survive_pickling() -> None:
    """An error keeps its class and data on its way out of a process pool."""
    received = pickle.loads(pickle.dumps(from_answer({"error": "Odd", "message": "m"})))  # noqa: S301  our own
    assert isinstance(received, TierkeeperError)
    assert (received.code, str(received)) == ("Odd", "m")
