"""From a bundle to a Bento: the champion, the service, the library's serving part, pinned packages.

Needs no network. The same bundle, name, version, metrics and packages give the same content and
`digest`, byte for byte, but for the time of creation in the Bento's `bento.yaml`.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Final

from parivision import strict_json
from parivision.durable import exclusive, replacing
from parivision.errors import ModelError, ServiceError
from parivision.models import dependencies
from parivision.models.bundle import Bundle
from parivision.serving.predictor import BUNDLE_FOLDER, ChampionRecord

LIBRARY: Final = dependencies.LIBRARY
SERVICE: Final = LIBRARY.parents[1] / "bentos" / "shots"
SERVER: Final = SERVICE.with_name("serve.py")
CONTENT: Final = "src"
# What later shots are compared with is kept beside the bundle and is not served.
NOT_SERVED: Final = "drift_*"
BUILD_TIMEOUT_S: Final = 300.0
_TAG: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?", re.ASCII)
# The modules of this library that bentos/shots/service.py and bentos/serve.py import.
ENTRY_MODULES: Final = (
    "parivision.serving.app",
    "parivision.serving.logs",
    "parivision.serving.predictor",
    "parivision.serving.server",
    "parivision.settings",
)
BASE_PACKAGES: Final = (
    "bentoml",
    "httptools",
    "msgspec",
    "numpy",
    "prometheus-client",
    "pydantic",
    "pydantic-settings",
    "pymongo",
    "typing-extensions",
    "uvicorn",
    "uvloop",
)


@dataclass(frozen=True)
class Bento:
    """A built Bento. `is_new` is False when it was there already, with the same content."""

    name: str
    version: str
    digest: str
    path: Path
    is_new: bool

    @property
    def tag(self) -> str:
        """Name and version, as BentoML writes them."""
        return f"{self.name}:{self.version}"


def build(
    bundle: Path,
    *,
    version: str,
    store: Path,
    name: str = "shots",
    metrics: Mapping[str, float | None] | None = None,
    service: Path = SERVICE,
) -> Bento:
    """Build the Bento of a bundle into `store`, a folder that serves as BENTOML_HOME.

    `version` is the registry's. `metrics` are those the model was promoted with, by default the
    scores in the bundle's card. Building again what is there does nothing; other content under the
    same version takes its place, whole or not at all. Raises ServiceError.
    """
    _check_tag(name, version)
    scores = Bundle.load(bundle).card.get("scores", {}) if metrics is None else metrics
    champion = ChampionRecord(name, version, metrics=_finite(scores))
    store = store.resolve()
    target = store / "bentos" / name / version
    # In the store, so that the finished Bento only has to be renamed.
    scratch = store / "tmp" / f"{name}-{version}"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(store / "build.lock", BUILD_TIMEOUT_S):
        shutil.rmtree(scratch, ignore_errors=True)
        # BentoML reads no file in or below a hidden folder, which the store may well be.
        with tempfile.TemporaryDirectory(prefix="bento-") as folder:
            work = Path(folder).resolve()
            champion = _assemble(work / "context", bundle, service, champion)
            built = Bento(name, version, champion.digest, target, is_new=True)
            if _digest_of(target) == champion.digest:
                return replace(built, is_new=False)
            shutil.copytree(_run_build(work, champion), scratch / "built")
        try:
            _take_place(scratch / "built", target)
            with replacing(target.parent / "latest") as latest:
                latest.write_text(version)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return built


def packages(kinds: Iterable[str]) -> list[str]:
    """Pins of every package that serving these kinds of estimators needs, dependencies included.

    Raises ServiceError for a package that is not installed.
    """
    try:
        return dependencies.pins({*BASE_PACKAGES, *dependencies.packages_of_kinds(kinds)})
    except ModelError as error:
        raise ServiceError(str(error)) from error


def library_files() -> list[Path]:
    """The files of this library that the service imports, by following its imports."""
    return dependencies.library_files(ENTRY_MODULES)


def _check_tag(name: str, version: str) -> None:
    for what, value in (("name", name), ("version", version)):
        if not _TAG.fullmatch(value):
            raise ServiceError(
                f"a Bento's {what} is {value!r}: expected up to 60 lower-case letters, digits, "
                "'.', '-' or '_', such as 'shots' and '12'"
            )


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        name: float(value) if value is not None and isfinite(value) else None
        for name, value in metrics.items()
    }


def _assemble(
    context: Path, bundle: Path, service: Path, champion: ChampionRecord
) -> ChampionRecord:
    """Lay out all that the Bento holds; the champion comes back with the content's digest."""
    kinds = dependencies.kinds(Bundle.load(bundle))
    if not (service / "service.py").is_file():
        raise ServiceError(
            f"{service} holds no service.py: name the folder bentos/shots of the repository"
        )
    shutil.copytree(service, context, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copytree(bundle, context / BUNDLE_FOLDER, ignore=shutil.ignore_patterns(NOT_SERVED))
    for path in library_files():
        target = context / LIBRARY.name / path.relative_to(LIBRARY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    pins = {"lock_packages": False, "packages": packages(kinds)}
    with (context / "bentofile.yaml").open("a") as options:
        options.write(f"python: {strict_json.text(pins)}\n")
    # Twice: the digest is of all files, among them this one while its digest is empty.
    champion.write(context)
    champion = replace(champion, digest=_digest(context))
    champion.write(context)
    return champion


def _digest(folder: Path) -> str:
    """A fingerprint of a folder's files: names and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _digest_of(target: Path) -> str | None:
    try:
        return ChampionRecord.read(target / CONTENT).digest
    except ServiceError:
        return None


def _run_build(scratch: Path, champion: ChampionRecord) -> Path:
    """Let BentoML build in a home of its own; returns the finished folder."""
    home, tools = scratch / "home", scratch / "tools"
    # BentoML wants uv to lock packages and would install it. All are pinned here, so it gets
    # a uv that is found and never run.
    tools.mkdir(parents=True)
    (tools / "uv").write_text("#!/bin/sh\necho 'the packages are pinned already' >&2\nexit 1\n")
    (tools / "uv").chmod(0o755)
    command = [sys.executable, "-m", "bentoml", "build"]
    command += ["--name", champion.name, "--version", champion.version]
    environment = {  # a child inherits; nothing here is read from it
        **os.environ,
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        subprocess.run(  # noqa: S603 - the words are ours, name and version are checked
            command,
            cwd=scratch / "context",
            env=environment,
            check=True,
            capture_output=True,
            timeout=BUILD_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        output = (error.stdout + error.stderr).decode(errors="replace")[-2000:]
        raise ServiceError(f"bentoml could not build {champion.name}: {output}") from error
    except subprocess.TimeoutExpired as error:
        raise ServiceError(
            f"bentoml took longer than {BUILD_TIMEOUT_S:g} s to build {champion.name}: "
            "is the machine overloaded?"
        ) from error
    return home / "bentos" / champion.name / champion.version


def _take_place(built: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A process that is killed between both renames leaves no Bento, and the next one builds it.
    if target.exists():
        target.rename(built.with_name("replaced"))
    built.rename(target)
