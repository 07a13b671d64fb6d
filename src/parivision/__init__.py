"""NBA shot prediction, from raw shots to a served champion."""

__version__ = "0.1.0"
