"""NetParameter as Google's protobuf writes it: the fields of caffe.proto that a .caffemodel of weights has."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

MESSAGES = {
    "BlobShape": [("dim", 1, "int64", True)],
    "BlobProto": [
        ("shape", 7, "BlobShape", False),
        ("data", 5, "float", True),
        ("double_data", 8, "double", True),
        ("num", 1, "int32", False),
        ("channels", 2, "int32", False),
        ("height", 3, "int32", False),
        ("width", 4, "int32", False),
    ],
    "LayerParameter": [
        ("name", 1, "string", False),
        ("type", 2, "string", False),
        ("bottom", 3, "string", True),
        ("top", 4, "string", True),
        ("blobs", 7, "BlobProto", True),
    ],
    "V1LayerParameter": [
        ("bottom", 2, "string", True),
        ("name", 4, "string", False),
        ("type", 5, "int32", False),
        ("blobs", 6, "BlobProto", True),
    ],
    "NetParameter": [
        ("name", 1, "string", False),
        ("layers", 2, "V1LayerParameter", True),
        ("layer", 100, "LayerParameter", True),
    ],
}


def messages():
    """The message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if kind in MESSAGES:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                added.type = getattr(kinds, f"TYPE_{kind.upper()}")
                added.options.packed = repeated and kind != "string"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in MESSAGES}


def caffemodel(layers: Iterable[tuple[str, str, list[np.ndarray]]]) -> bytes:
    """The bytes of a file of layers: name, type, blobs."""
    net = messages()["NetParameter"](name="net")
    for name, kind, blobs in layers:
        layer = net.layer.add(name=name, type=kind, bottom=["before"], top=[name])
        for blob in blobs:
            added = layer.blobs.add()
            added.shape.dim.extend(blob.shape)
            added.data.extend(blob.reshape(-1).tolist())
    return net.SerializeToString()
