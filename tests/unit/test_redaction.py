"""What is shown of an error holds no secret, in whatever form a library quotes it."""

import base64
import logging
import threading
from urllib.parse import quote, quote_plus

import pytest

from parivision.errors import FilesError, RegistryError
from parivision.settings import CREDENTIALS
from parivision.settings.redaction import HIDDEN, Redactor

WORD = "p@ss/w#rd %41"
LONG = "eyJhbGciOiJSUzI1NiIs" + "x7" * 400


@pytest.mark.parametrize(
    "shown",
    [
        WORD,
        quote(WORD),
        quote(WORD, safe=""),
        quote_plus(WORD),
        base64.b64encode(WORD.encode()).decode(),
        base64.urlsafe_b64encode(WORD.encode()).decode(),
        repr(WORD),
        f"Basic {base64.b64encode(f'pusher:{WORD}'.encode()).decode()}",
    ],
)
def test_every_form_is_hidden(shown):
    """As it is, as addresses and heads have it, and as Python quotes it."""
    named = {"PARIVISION_IMAGES_USERNAME": "pusher", "PARIVISION_IMAGES_PASSWORD": f"{WORD}\n"}
    said = Redactor.of(named, CREDENTIALS)(f"could not send {shown} to the registry")
    assert HIDDEN in said
    assert shown.strip("'").removeprefix("Basic ") not in said
    assert said.endswith(" to the registry")


def test_a_value_in_an_address_is_hidden_and_the_address_stays():
    """Of user:password@host the password goes, escaped or not; a folder is no secret."""
    word = quote(WORD, safe="")
    clear = Redactor.of(
        {"PARIVISION_LAKE": f"mongodb://user:{word}@host/db", "PARIVISION_PREDICTION_LOG": "/log"},
        CREDENTIALS,
    )
    assert clear(f"mongodb://user:{word}@host/db") == f"mongodb://user:{HIDDEN}@host/db"
    assert clear(f"no {WORD} in /log") == f"no {HIDDEN} in /log"
    assert HIDDEN in Redactor.of({"PARIVISION_LAKE": "u:hushhush@host/db"}, CREDENTIALS)(
        "at u:hushhush@host"
    )


def test_what_was_cut_is_known_by_its_beginning():
    """A message of 300 characters holds half a token."""
    clear = Redactor.of({"KFP_EXISTING_TOKEN": LONG}, CREDENTIALS)
    assert clear(f"sent 'Bearer {LONG[:300]}'") == f"sent 'Bearer {HIDDEN}'"


def test_short_values_and_none_change_nothing():
    """A word of three letters is in many others; without settings nothing is looked for."""
    assert (
        Redactor.of({"PARIVISION_IMAGES_PASSWORD": "the"}, CREDENTIALS)("the theatre")
        == "the theatre"
    )
    assert Redactor.of({}, CREDENTIALS)("anything") == "anything"


def test_a_file_that_a_setting_names_is_known_too(tmp_path):
    """As Secrets are mounted; one that cannot be read is told elsewhere."""
    (tmp_path / "token").write_text("hush-hush\n")
    named = {"PARIVISION_ALERTS_TOKEN_FILE": str(tmp_path / "token")}
    assert Redactor.of(named, CREDENTIALS)("hush-hush") == HIDDEN
    assert (
        Redactor.of({"PARIVISION_LAKE_FILE": str(tmp_path)}, CREDENTIALS)("hush-hush")
        == "hush-hush"
    )


def test_logs_and_threads_are_cleared(caplog, capsys):
    """Messages, their arguments and tracebacks; afterwards everything is as before."""
    clear = Redactor(["hush-hush"])
    logger, make = logging.getLogger("somebody's"), logging.getLogRecordFactory()
    on_thread = threading.excepthook

    def die():
        raise ValueError("hush-hush")

    with caplog.at_level(logging.DEBUG), clear.everywhere():
        logger.debug("sent %s", "hush-hush")
        logger.debug("sent nothing %s", 5)
        ill = logging.getLogRecordFactory()("x", logging.INFO, "f", 1, "ill %d", ("x",), None)
        try:
            die()
        except ValueError:
            logger.exception("died")
        thread = threading.Thread(target=die)
        thread.start()
        thread.join()
    assert (ill.msg, ill.args) == ("ill %d", ("x",))
    shown = "".join(logging.Formatter().format(record) for record in caplog.records)
    shown += capsys.readouterr().err
    assert "hush" not in shown
    assert shown.count(HIDDEN) >= 3  # and where a line of this file is quoted
    assert logging.getLogRecordFactory() is make
    assert threading.excepthook is on_thread


def test_an_error_keeps_its_kind():
    """What shows nothing is left as it is; the other one says the same without the secret."""
    clear, plain = Redactor(["hush-hush"]), RegistryError("away")
    assert clear.cleared(plain) is plain
    chained = RegistryError("away: hush-hush")
    chained.__cause__ = ValueError("hush-hush")
    cleared = clear.cleared(chained)
    assert (type(cleared), str(cleared)) == (RegistryError, f"away: {HIDDEN}")
    assert f"KeyError: '{HIDDEN}'" in str(clear.cleared(KeyError("hush-hush")))


def test_an_error_with_more_than_a_message_keeps_it_without_secrets():
    """Files that could not be read are still listed, each with its reason."""
    clear = Redactor(["hush-hush"])
    error = clear.cleared(FilesError("1 file: hush-hush", {"a.csv": "hush-hush is no day"}))
    assert isinstance(error, FilesError)
    assert (str(error), error.files) == (f"1 file: {HIDDEN}", {"a.csv": f"{HIDDEN} is no day"})
