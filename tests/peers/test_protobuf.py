"""Google's protobuf reads our events with the .proto that `hinomi schema --proto` prints, and writes
the same canonical bytes back."""
import importlib
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf.message import Message
from grpc_tools import protoc

with tempfile.TemporaryDirectory() as tmp:
    proto = subprocess.run(["build/hinomi", "schema", "--proto"], check=True, capture_output=True).stdout
    (pathlib.Path(tmp) / "hinomi_event.proto").write_bytes(proto)
    assert protoc.main(["protoc", f"-I{tmp}", f"--python_out={tmp}", "hinomi_event.proto"]) == 0
    sys.path.insert(0, tmp)
    module = importlib.import_module("hinomi_event_pb2")
    messages = [getattr(module, n) for n in module.DESCRIPTOR.message_types_by_name]
    event: type[Message] = messages[0]
    seeds = sorted(pathlib.Path("fuzz/corpus/event").glob("*"))
    read = same = 0
    for seed in seeds:
        data = seed.read_bytes()
        try:
            parsed = event.FromString(data)
        except Exception:
            continue  # a seed that is malformed on purpose
        read += 1
        same += parsed.SerializeToString(deterministic=True) == data
    assert read > 0 and same > 0, (len(seeds), read, same)
    print(f"protobuf: {read} of {len(seeds)} seeds read, {same} written back byte for byte")
