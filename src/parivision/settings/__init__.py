"""Settings: one declaration each, with name, default, help and check, in a class that reads them.

Library functions take plain values; only `cli` and the components' entry points read this. Every
NAME may come from a file instead, whose path is in NAME_FILE: so a Secret that is mounted is in no
environment, which children inherit and many tools show.

Passwords, tokens and addresses are settings too. How they are read, and that nobody is shown them,
is here as well.
"""

from parivision.settings.settings import CREDENTIALS, Settings, as_environment, read

__all__ = ["CREDENTIALS", "Settings", "as_environment", "read"]
