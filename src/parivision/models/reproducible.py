"""skops files that depend on the model alone.

skops numbers objects by their place in memory, and stamps its files with the time; scikit-learn's
trees hold bytes that nothing was ever written to. Here all of that gets fixed values, so that equal
models give equal bytes: the idea of reproducible builds (https://reproducible-builds.org), where
times, order and uninitialized memory are the usual sources of differences, too.
"""

import io
import json
import zipfile
from typing import Any, Final

import numpy as np

from parivision import strict_json

_SCHEMA: Final = "schema.json"
# The earliest moment that a zip archive can hold.
_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)


def reproducible(dump: bytes) -> bytes:
    """The same skops dump with numbers in order of appearance, no times and no stray bytes."""
    with zipfile.ZipFile(io.BytesIO(dump)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    tree = json.loads(contents.pop(_SCHEMA))
    files: dict[str, str] = {}
    _renumber(tree, {}, files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for old, new in files.items():
            archive.writestr(zipfile.ZipInfo(new, _NO_TIME), _without_padding(old, contents[old]))
        schema = strict_json.text(tree, indent=1, exact=True)
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _NO_TIME), schema)
    return out.getvalue()


def _renumber(node: Any, numbers: dict[object, int], files: dict[str, str]) -> None:
    if isinstance(node, dict):
        if "__id__" in node:
            # Whether two equal plain values are one object differs from run to run.
            is_plain = node["__loader__"] == "JsonNode"
            key = object() if is_plain else node["__id__"]
            node["__id__"] = numbers.setdefault(key, len(numbers) + 1)
        if "file" in node and "__loader__" in node:
            ending = node["file"].rpartition(".")[2]
            node["file"] = files.setdefault(node["file"], f"{len(files) + 1}.{ending}")
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            _renumber(child, numbers, files)


def _without_padding(name: str, content: bytes) -> bytes:
    if not name.endswith(".npy"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None or not array.flags.c_contiguous:
        return content
    # Bytes first: numpy zeroes the fields of such an array and leaves what lies between them.
    clean = np.zeros(array.nbytes, np.uint8)
    fields = clean.view(array.dtype).reshape(array.shape)
    for field in array.dtype.names:
        fields[field] = array[field]
    header = content[: len(content) - array.nbytes]
    return header + clean.tobytes()
