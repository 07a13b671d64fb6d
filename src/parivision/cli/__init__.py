"""The command `parivision`: one subcommand a step; errors say what to do and exit with 1."""

import logging
import os
import sys
from collections.abc import Callable

from parivision.errors import PariVisionError


def main() -> None:
    """Run the command line."""
    from parivision.cli.app import app

    run(app)


def run(app: Callable[[], object]) -> None:
    """Run a command; an error of the project becomes one line on stderr and exit code 1.

    No secret of the settings comes out, whatever a library says of it.
    """
    from rich.markup import escape

    from parivision.cli.console import err, watched
    from parivision.settings import CREDENTIALS
    from parivision.settings.redaction import Redactor

    clear = Redactor.of(os.environ, CREDENTIALS)

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        with clear.everywhere(), watched():
            app()
    except PariVisionError as error:
        # A message may quote anything, brackets too.
        err.print(f"[bold red]error:[/] {escape(clear(str(error)))}", soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader has seen enough, as `head` has
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # a fault of ours, of which Python prints the traceback
        cleared = clear.cleared(error)
        if cleared is error:
            raise
        raise cleared from None
