"""Typed artifacts of a run, as Kubeflow Pipelines' user interface reads them.

KFP's API does not list artifacts. The page asks ML Metadata for them, by gRPC-Web through
ml-pipeline-ui, and reads their files at /artifacts/get. So do the tests. Of ML Metadata's messages
(third_party/ml-metadata/ml_metadata/proto in KFP's repository) only the fields below are needed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf import struct_pb2 as _struct_pb2  # noqa: F401 - the pool must know it

ALL_ARTIFACTS: Final = "/ml_metadata.MetadataStoreService/GetArtifacts"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_HEAD: Final = struct.Struct(">BI")
_TRAILER: Final = 0x80
"""A frame of gRPC-Web begins with a byte, which marks the trailers, and its length."""

# number, name, kind; a message of another name, or a kind of protobuf's.
_MESSAGES: Final[dict[str, list[tuple[int, str, Any]]]] = {
    "Value": [
        (1, "int_value", _FIELD.TYPE_INT64),
        (2, "double_value", _FIELD.TYPE_DOUBLE),
        (3, "string_value", _FIELD.TYPE_STRING),
        (4, "struct_value", ".google.protobuf.Struct"),
    ],
    "Entry": [(1, "key", _FIELD.TYPE_STRING), (2, "value", ".parivision.test.Value")],
    "Artifact": [
        (3, "uri", _FIELD.TYPE_STRING),
        (8, "type", _FIELD.TYPE_STRING),
        (5, "custom_properties", "*.parivision.test.Entry"),
    ],
    "Artifacts": [(1, "artifacts", "*.parivision.test.Artifact")],
}


@dataclass(frozen=True)
class RunArtifact:
    """An artifact: its name and type (system.HTML), where its file is, and its metadata."""

    name: str
    type: str
    uri: str
    metadata: dict[str, Any]


def artifacts_of(client: httpx.Client, run_id: str) -> list[RunArtifact]:
    """The artifacts that a run has made; `client` reaches the user interface."""
    headers = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}
    answer = client.post(ALL_ARTIFACTS, headers=headers, content=_HEAD.pack(0, 0))
    answer.raise_for_status()
    status = answer.headers.get("grpc-status", "0")
    assert status == "0", f"ML Metadata: {status} {answer.headers.get('grpc-message')}"
    return [artifact for artifact in read(answer.content) if f"/{run_id}/" in artifact.uri]


def content(client: httpx.Client, artifact: RunArtifact) -> str:
    """The text of an artifact's file, as the page shows it."""
    place = urlsplit(artifact.uri)
    query = {"source": place.scheme, "bucket": place.netloc, "key": place.path.lstrip("/")}
    answer = client.get("/artifacts/get", params=query)
    answer.raise_for_status()
    return answer.text


def read(frames: bytes) -> Iterator[RunArtifact]:
    """The artifacts in an answer of gRPC-Web."""
    answer = messages()["Artifacts"]()
    while frames:
        kind, size = _HEAD.unpack_from(frames)
        if not kind & _TRAILER:
            answer.MergeFromString(frames[_HEAD.size : _HEAD.size + size])
        frames = frames[_HEAD.size + size :]
    for artifact in answer.artifacts:
        metadata = {entry.key: _plain(entry.value) for entry in artifact.custom_properties}
        name = str(metadata.get("display_name") or artifact.uri.rpartition("/")[2])
        yield RunArtifact(name, artifact.type, artifact.uri, metadata)


def framed(answer: Any) -> bytes:
    """An answer as gRPC-Web sends it: a frame for the message, and one for the trailers."""
    text, trailers = answer.SerializeToString(), b"grpc-status:0\r\n"
    return b"".join(
        _HEAD.pack(kind, len(part)) + part for kind, part in ((0, text), (_TRAILER, trailers))
    )


def messages() -> dict[str, Any]:
    """The classes of the messages above."""
    pool = descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto(
        name="parivision_test_ml_metadata.proto",
        package="parivision.test",
        dependency=["google/protobuf/struct.proto"],
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, name, kind in fields:
            field = described.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
            if isinstance(kind, str):
                if kind.startswith("*"):
                    field.label = _FIELD.LABEL_REPEATED
                field.type, field.type_name = _FIELD.TYPE_MESSAGE, kind.removeprefix("*")
            else:
                field.type = kind
    try:
        pool.FindFileByName(file.name)
    except KeyError:
        pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{file.package}.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(kind) for name, kind in found.items()}


def _plain(value: Any) -> Any:
    """A value of ML Metadata as Python has it; what is a message becomes its JSON."""
    for field, held in value.ListFields():
        return held if field.message_type is None else json_format.MessageToDict(held)
    return None
