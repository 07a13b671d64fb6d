"""What a Deployment serves, as its pods' template says it, and the patches that change it."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from parivision import strict_json
from parivision.errors import ServiceError
from parivision.kubernetes.cluster import CONTAINER

VERSION: Final = "parivision.dev/model-version"
DIGEST: Final = "parivision.dev/bento-digest"
ATTEMPT: Final = "parivision.dev/attempt"
"""On the pods: the same release once more is another template, which Flagger rolls out anew."""
FORMER: Final = "parivision.dev/former-release"
"""On the Deployment itself: what to go back to, so that a step that died can be run again."""

Patch = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """What the Deployment serves: an image, and the version and Bento in it.

    Without a version the image is the bare runtime, and nothing is served. `attempt` tells rollouts
    of the same release apart.
    """

    image: str
    version: str = ""
    digest: str = ""
    attempt: str = ""

    @property
    def name(self) -> str:
        """What tells it from others, whichever attempt it is."""
        return f"{self.version or 'none'}@{self.digest or self.image}"

    def is_same(self, other: "Release | None") -> bool:
        """Whether both serve the same, whichever attempt it is."""
        return other is not None and replace(self, attempt="") == replace(other, attempt="")


def served(deployment: Any) -> Release:
    """What a Deployment's pods are made to serve; ServiceError when it is another service."""
    template = deployment.spec.template
    images = [c.image for c in template.spec.containers if c.name == CONTAINER]
    if not images:
        raise ServiceError(
            f"the Deployment {deployment.metadata.name} has no container {CONTAINER!r}: it is not "
            "the prediction service; name that in PARIVISION_DEPLOYMENT"
        )
    marks = template.metadata.annotations or {}
    return Release(images[0], marks.get(VERSION, ""), marks.get(DIGEST, ""), marks.get(ATTEMPT, ""))


def template_key(deployment: Any) -> str:
    """What tells a Deployment's template from another: the version, and a digest of all of it."""
    template = _filled(deployment.spec.template.to_dict())
    text = strict_json.text(template, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return f"{served(deployment).version or 'none'}-{digest}"


def change(release: Release, replicas: int | None, former: Release | None = None) -> Patch:
    """The patch that makes a Deployment serve a release; `replicas` of None stay."""
    # In a patch, None removes an annotation; a container is merged with the one of its name.
    annotations = {
        VERSION: release.version or None,
        DIGEST: release.digest or None,
        ATTEMPT: release.attempt or None,
    }
    template = {
        "metadata": {"annotations": annotations},
        "spec": {"containers": [{"name": CONTAINER, "image": release.image}]},
    }
    spec = (
        {"template": template} if replicas is None else {"replicas": replicas, "template": template}
    )
    return {**note(former), "spec": spec}


def note(former: Release | None) -> Patch:
    """The patch that notes on a Deployment what was served before; None takes the note away."""
    text = strict_json.text(asdict(former), sort_keys=True) if former else None
    return {"metadata": {"annotations": {FORMER: text}}}


def noted(deployment: Any) -> Release | None:
    """What a Deployment's note says was served before."""
    text = (deployment.metadata.annotations or {}).get(FORMER)
    return Release(**json.loads(text)) if text else None


def _filled(value: Any) -> Any:
    """The value without fields that are not set: a newer client knows more of those.

    Otherwise an update of the client would change the key of a template that did not change.
    """
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items() if item not in (None, [], {})}
    return [_filled(item) for item in value] if isinstance(value, list) else value
