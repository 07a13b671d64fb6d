"""Lists of the Kubernetes API: whole, or an error."""

from typing import Any

import pytest
from kubernetes import client

from parivision.errors import ServiceError
from parivision.kubernetes.api import KubernetesApi

API = KubernetesApi("give it the right", "make it")


class Parts:
    """A list's parts, as the API gives them: each names the next one's token."""

    def __init__(self, *next_tokens: str) -> None:
        self._next_tokens = next_tokens
        self.asked: list[Any] = []

    def __call__(self, namespace: str, **asked: Any) -> client.V1PodList:
        """The next part: one pod of the number that the part has."""
        token = self._next_tokens[len(self.asked)]
        self.asked.append((namespace, asked.get("label_selector"), asked.get("_continue")))
        pod = client.V1Pod(metadata=client.V1ObjectMeta(name=f"pod-{len(self.asked)}"))
        return client.V1PodList(items=[pod], metadata=client.V1ListMeta(_continue=token))


def test_a_list_in_parts_is_read_to_its_end() -> None:
    """Each part is asked for by the token of the one before, and by the same labels."""
    parts = Parts("a", "b", "")
    pods = API.list_all("list pods", parts, "league", label_selector="app=x")
    assert [pod.metadata.name for pod in pods] == ["pod-1", "pod-2", "pod-3"]
    assert parts.asked == [("league", "app=x", token) for token in (None, "a", "b")]


@pytest.mark.parametrize("tokens", [("a", "a"), ("a", "b", "a")])
def test_a_list_in_a_circle_is_an_error(tokens: tuple[str, ...]) -> None:
    """It is not taken for whole: what is missing might be a pod that fails."""
    with pytest.raises(ServiceError, match=r"cannot list pods: .* same page of its list again"):
        API.list_all("list pods", Parts(*tokens), "league")
