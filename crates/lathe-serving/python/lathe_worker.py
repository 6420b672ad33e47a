"""The worker of a served MLflow model: a child process that answers on the socket it was given as its standard input.

A frame is the length of a header and of a body (32 bit each, little endian), the header (JSON), and the body: the values of
each part, one part after the other. The server asks one question at a time. When the socket ends, so does the worker.

Usage: lathe_worker.py <folder of the model>
"""

import json
import math
import os
import select
import socket
import struct
import sys
import threading
import traceback

MISSING = 0xFFFFFFFF


def take_socket():
    """Takes the socket from standard input, so that a model that reads or prints does not disturb it."""
    connection = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return connection


def end_with(connection):
    """Ends the process when the server is gone, even while the model computes."""
    poll = select.poll()
    poll.register(connection, select.POLLHUP | getattr(select, "POLLRDHUP", 0))
    poll.poll()
    os._exit(0)


def receive_exactly(stream, size):
    buffer = bytearray(size)
    if stream.readinto(buffer) < size:
        os._exit(0)
    return buffer


def receive(stream):
    header_size, body_size = struct.unpack("<II", receive_exactly(stream, 8))
    header = json.loads(receive_exactly(stream, header_size))
    return header, receive_exactly(stream, body_size)


def send(connection, header, chunks=()):
    text = json.dumps(header).encode()
    body_size = sum(len(chunk) for chunk in chunks)
    connection.sendall(b"".join([struct.pack("<II", len(text), body_size), text, *chunks]))


def describe(error, folder):
    text = f"{type(error).__name__}: {error}".replace(folder, "<model>")
    return text if len(text) <= 2000 else text[:2000] + " …"


class Refused(Exception):
    """The inputs are not what the model takes."""


class Codec:
    """From frames to what a model takes, and from what it answers to frames."""

    def __init__(self, schema):
        import numpy
        import pandas

        self.np, self.pd = numpy, pandas
        # What the model takes, by the names of columns, or by their places where they have none.
        self.kinds, self.is_named = {}, True
        if schema is not None:
            self.is_named = schema.has_input_names()
            if not schema.is_tensor_spec():
                names = schema.input_names() if self.is_named else range(len(schema.inputs))
                kinds = [getattr(kind, "name", "") for kind in schema.input_types()]
                self.kinds = dict(zip(names, kinds, strict=False))

    def decode(self, header, body):
        at, values = 0, {}
        for place, part in enumerate(header["parts"]):
            chunk = memoryview(body)[at : at + part["bytes"]]
            at += part["bytes"]
            kind = self.kinds.get(part["name"] if self.is_named else place)
            values[part["name"]] = self.decode_part(part, chunk, header["rows"], kind)
        if header["kind"] == "table":
            frame = self.pd.DataFrame(values, copy=False)
            if not self.is_named:
                frame.columns = range(len(frame.columns))
            return frame
        is_only = len(values) == 1 and (not self.is_named or "" in values)
        return next(iter(values.values())) if is_only else values

    def decode_part(self, part, chunk, rows, taken):
        np, kind = self.np, part["type"]
        if "shape" in part:
            if kind == "BYTES":
                return np.array(list(split_strings(chunk)), dtype=object).reshape(part["shape"])
            return np.frombuffer(chunk, dtype=DTYPES[kind]).reshape(part["shape"])
        if kind == "float64" or kind == "int64":
            array = np.frombuffer(chunk, dtype="<f8" if kind == "float64" else "<i8")
            # These two kinds of a signature are narrower than what travels.
            narrow = {"integer": "int32", "float": "float32"}.get(taken)
            return array.astype(narrow) if narrow else array
        if kind == "bool":
            return np.frombuffer(chunk, dtype="?")
        if kind == "datetime":
            # The smallest whole number is NumPy's "not a time" too.
            return np.frombuffer(chunk, dtype="<i8").view("datetime64[ms]").astype("datetime64[ns]")
        values = np.empty(rows, dtype=object)
        texts = split_texts(chunk, rows)
        if kind == "binary":
            values[:] = list(texts)
        elif kind == "json":
            for index, text in enumerate(texts):
                values[index] = None if text is None else json.loads(text)
        else:
            values[:] = [None if text is None else text.decode() for text in texts]
        return self.read_times(part["name"], values) if kind == "text" and taken == "datetime" else values

    def read_times(self, name, texts):
        """Times as MLflow's scoring server reads them."""
        try:
            return self.pd.to_datetime(texts)
        except (ValueError, OverflowError) as error:
            raise Refused(f"column `{name}` holds a text that is no time: {error}") from error

    def encode(self, result):
        np, pd = self.np, self.pd
        if isinstance(result, pd.DataFrame):
            return self.encode_table({str(name): column.to_numpy() for name, column in result.items()})
        if isinstance(result, pd.Series):
            return self.encode_table({"0" if result.name is None else str(result.name): result.to_numpy()})
        if hasattr(result, "toarray"):
            result = result.toarray()
        if isinstance(result, dict) and result:
            arrays = {str(name): as_array(np, value) for name, value in result.items()}
            is_all = all(array is not None for array in arrays.values())
            return self.encode_tensors(arrays) if is_all else self.encode_json(result)
        array = as_array(np, result)
        return self.encode_json(result) if array is None else self.encode_tensors({"": array})

    def encode_json(self, result):
        return {"op": "answer", "kind": "json"}, [self.to_json(result)]

    def encode_table(self, columns):
        parts, chunks, rows = [], [], 0
        for name, array in columns.items():
            kind, chunk = self.encode_column(array)
            rows = len(array)
            parts.append({"name": name, "type": kind, "bytes": len(chunk)})
            chunks.append(chunk)
        return {"op": "answer", "kind": "table", "rows": rows, "parts": parts}, chunks

    def encode_tensors(self, tensors):
        parts, chunks = [], []
        for name, array in tensors.items():
            if array.dtype.kind in "OUS":
                datatype, chunk = "BYTES", join_strings(array.ravel().tolist())
            else:
                if array.dtype.kind == "f" and array.dtype.itemsize > 8:
                    array = array.astype("<f8")
                chunk = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
                datatype = NAMES[array.dtype.kind + str(array.dtype.itemsize)]
            parts.append({"name": name, "type": datatype, "shape": list(array.shape), "bytes": len(chunk)})
            chunks.append(chunk)
        return {"op": "answer", "kind": "tensors", "rows": 0, "parts": parts}, chunks

    def encode_column(self, array):
        np, kind = self.np, array.dtype.kind
        if kind == "f":
            return "float64", np.asarray(array, dtype="<f8").tobytes()
        if kind == "i" or (kind == "u" and (array.dtype.itemsize < 8 or not len(array) or array.max() < 2**63)):
            return "int64", np.asarray(array, dtype="<i8").tobytes()
        if kind == "b":
            return "bool", array.tobytes()
        if kind == "M":
            return "datetime", array.astype("datetime64[ms]").astype("<i8").tobytes()
        return self.encode_objects([None if self.is_missing(value) else value for value in array.tolist()])

    def encode_objects(self, values):
        present = [value for value in values if value is not None]
        if present and all(isinstance(value, bool) for value in present) and len(present) == len(values):
            return "bool", bytes(values)
        if present and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present):
            numbers = [math.nan if value is None else value for value in values]
            return "float64", self.np.asarray(numbers, dtype="<f8").tobytes()
        if all(isinstance(value, str) for value in present):
            return "text", join_texts([None if value is None else value.encode() for value in values])
        if all(isinstance(value, bytes) for value in present):
            return "binary", join_texts(values)
        return "json", join_texts([None if value is None else self.to_json(value) for value in values])

    def is_missing(self, value):
        return value is None or value is self.pd.NA or value is self.pd.NaT

    def to_json(self, value):
        def convert(other):
            if isinstance(other, self.np.ndarray):
                return other.tolist()
            if isinstance(other, self.np.generic):
                return other.item()
            if hasattr(other, "model_dump"):
                return other.model_dump()
            return str(other)

        return json.dumps(value, default=convert).encode()


def as_array(np, values):
    """An array of numbers, truth values or texts, as a model's answer may be; `None` for what is no such array."""
    if not isinstance(values, np.ndarray):
        if isinstance(values, (dict, str, bytes)) or not hasattr(values, "__len__") or not len(values):
            return None
        try:
            values = np.asarray(values)
        except ValueError:
            return None
    if values.ndim == 0:
        return None
    if values.dtype.kind == "O":
        is_text = all(isinstance(value, str) for value in values.ravel().tolist())
        return values if is_text else None
    return values if values.dtype.kind in "fiubUS" else None


def split_strings(chunk):
    at = 0
    while at < len(chunk):
        (size,) = struct.unpack_from("<I", chunk, at)
        yield bytes(chunk[at + 4 : at + 4 + size])
        at += 4 + size


def split_texts(chunk, rows):
    at = 4 * rows
    for size in struct.unpack_from(f"<{rows}I", chunk):
        if size == MISSING:
            yield None
        else:
            yield bytes(chunk[at : at + size])
            at += size


def join_strings(texts):
    encoded = (text.encode() if isinstance(text, str) else text for text in texts)
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def join_texts(texts):
    sizes = [MISSING if text is None else len(text) for text in texts]
    return struct.pack(f"<{len(sizes)}I", *sizes) + b"".join(text for text in texts if text is not None)


DTYPES = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
NAMES = {"b1": "BOOL", **{dtype.lstrip("<"): name for name, dtype in DTYPES.items() if dtype != "?"}}


def load(folder):
    """Loads the model and asks it its own input example, so that the first request is no slower than the next."""
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(folder)
    if model.metadata.saved_input_example_info:
        try:
            example = model.metadata.load_input_example(folder)
            params = getattr(model.metadata, "load_input_example_params", lambda _: None)(folder)
        except Exception as error:
            print(f"the input example cannot be read: {error!r}", file=sys.stderr)
        else:
            try:
                model.predict(example, params=params) if params else model.predict(example)
            except Exception as error:
                raise RuntimeError(f"the model fails on its own input example: {error!r}") from error
    return model


def tell(metadata):
    """The signature as the server is told it, without outputs that it does not name where a graph does."""
    if metadata.signature is None:
        return None
    told, outputs = metadata.signature.to_dict(), metadata.signature.outputs
    is_graph = metadata.flavors.get("python_function", {}).get("loader_module") == "mlflow.onnx"
    if is_graph and outputs is not None and not outputs.has_input_names():
        told["outputs"] = None
    return told


def is_of_mlflow(error):
    """Whether MLflow refused the inputs before the model's own code saw them: its error names a wrong value, and was raised with no
    code but MLflow's below this file's. The model's code, and whatever it calls, has a frame of its own."""
    import mlflow

    if not isinstance(error, mlflow.MlflowException) or error.error_code != "INVALID_PARAMETER_VALUE":
        return False
    package = os.path.dirname(mlflow.__file__) + os.sep
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return all(file == __file__ or file.startswith(package) for file in files)


def answer(model, codec, header, body):
    data = codec.decode(header, body)
    params = header.get("params")
    result = model.predict(data, params=params) if params else model.predict(data)
    return codec.encode(result)


def main():
    connection = take_socket()
    folder = sys.argv[1]
    threading.Thread(target=end_with, args=(connection,), daemon=True).start()
    try:
        model = load(folder)
        signature = model.metadata.signature
        codec, told = Codec(signature.inputs if signature is not None else None), tell(model.metadata)
    except BaseException as error:
        traceback.print_exc()
        send(connection, {"op": "failed", "message": describe(error, folder)})
        sys.exit(1)
    send(connection, {"op": "ready", "signature": told})
    # Buffered: a small question is one read.
    stream = connection.makefile("rb")
    while True:
        header, body = receive(stream)
        try:
            reply, chunks = answer(model, codec, header, body)
        except Refused as error:
            reply, chunks = {"op": "refused", "message": str(error)}, ()
        except Exception as error:
            op = "refused" if is_of_mlflow(error) else "error"
            reply, chunks = {"op": op, "message": describe(error, folder)}, ()
        send(connection, reply, chunks)


if __name__ == "__main__":
    main()
