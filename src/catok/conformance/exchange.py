"""The other side of `catok verify --command`: answers a request with this package.

    catok verify --command "python -m catok.conformance.exchange {in} {out}"

It is the example for ports in other languages: read request.json, and write an array for each task.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from catok.tokenizer.tokenizer import CausalAudioTokenizer


def answer(given: Path, out: Path) -> None:
    """Do all tasks of the request in the folder `given`."""
    request = json.loads((given / "request.json").read_text())
    tokenizer = CausalAudioTokenizer.from_pretrained(request["model"])
    for task in request["tasks"]:
        data = torch.from_numpy(np.load(given / f"{task['name']}.npy"))
        lengths, depth = torch.tensor(task["lengths"]), task["num_quantizers"]
        if task["steps"] is not None:
            result = _streamed(tokenizer, task, data)
        elif task["direction"] == "encode":
            result = tokenizer.encode(data, lengths, depth).codes
        else:
            result = tokenizer.decode(tokenizer.encoded(data, lengths), depth)
        np.save(out / f"{task['name']}.npy", result.numpy())


def _streamed(tokenizer: CausalAudioTokenizer, task: dict, data: torch.Tensor) -> torch.Tensor:
    encodes = task["direction"] == "encode"
    width = tokenizer.frame_size if encodes else 1
    start = tokenizer.encoder_state if encodes else tokenizer.decoder_state
    advance = tokenizer.encode_step if encodes else tokenizer.decode_step
    state, results = start(data.shape[0]), []
    chunks = data.split([step["frames"] * width for step in task["steps"]], dim=2)
    for step, chunk in zip(task["steps"], chunks, strict=True):
        state.reset(step["reset"])
        result, state = advance(chunk, state, torch.tensor(step["active"]))
        results.append(result)
    return torch.cat(results, dim=2)


if __name__ == "__main__":
    answer(Path(sys.argv[1]), Path(sys.argv[2]))
