"""A language model's graphs in onnxruntime: NumPy arrays in, NumPy arrays out, without PyTorch.

    runtime = OnnxLMRuntime("folder", threads=1)
    hidden, past = runtime.temporal_step(tokens, mask, position_ids, runtime.no_past(batch_size=1))
    logits, depth_past = runtime.depth_step(0, hidden[:, -1], runtime.no_depth_past(1))

Inputs are taken as they are: `OnnxTokenLM` checks them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from catok.export.description import SpeechDescription, read_speech_description
from catok.export.sessions import GraphSessions

Past = Sequence[np.ndarray]
"""Of every layer the keys and the values, each `[B, H, P, head_dim]` float32."""


class OnnxLMRuntime(GraphSessions):
    """The graphs of the language model in a folder that `catok export` wrote; each is loaded when
    it is first used.

    `threads`: of one operation, by default as many as there are cores. Raises ValueError where the
    folder is none, is damaged, or onnxruntime is not installed.
    """

    def __init__(self, folder: str | Path, *, threads: int | None = None) -> None:
        self.description: SpeechDescription = read_speech_description(folder)
        super().__init__(folder, self.description.graphs, threads)

    def no_past(self, batch_size: int = 1) -> Past:
        """The past of sequences that have not begun."""
        return self._empty(self.description.token_lm["language_config"]["num_hidden_layers"],
                           batch_size)  # fmt: skip

    def no_depth_past(self, batch_size: int = 1) -> Past:
        """The past of frames that have not begun."""
        return self._empty(self.description.token_lm["local_num_layers"], batch_size)

    def temporal_step(
        self, tokens: np.ndarray, mask: np.ndarray, position_ids: np.ndarray, past: Past
    ) -> tuple[np.ndarray, Past]:
        """Tokens `[B, T, 1 + k]` int64, of text and the first k codebooks, that follow `past` of P
        rows -> hidden `[B, T, D]` float32, and the past with them.

        `mask` `[B, P + T]` bool: real rows, past and new. `position_ids` `[B, T]` float32.
        """
        inputs = {"tokens": tokens, "attention_mask": mask, "position_ids": position_ids}
        return self._step("temporal_step", inputs, past, tokens.shape[1])

    def depth_step(self, channel: int, previous: np.ndarray, past: Past) -> tuple[np.ndarray, Past]:
        """Logits `[N, V]` float32 of a channel of N frames, and the past with it.

        `previous`: the hidden states `[N, D]` for channel 0, else the tokens `[N]` int64 chosen for
        the channel before.
        """
        count = len(previous)
        width = self.description.token_lm["language_config"]["hidden_size"]
        inputs = {
            "channel": np.array(channel),
            "hidden": np.zeros((count, width), np.float32) if channel else previous,
            "tokens": previous if channel else np.zeros(count, np.int64),
        }
        return self._step("depth_step", inputs, past, 1)

    def ctc(self, hidden: np.ndarray) -> np.ndarray:
        """Hidden `[B, F, D]` of frames -> log-probabilities `[B, F * per_frame, V + 1]`."""
        return self.run("ctc", {"hidden": hidden})["log_probs"]

    def _step(
        self, graph: str, inputs: dict[str, np.ndarray], past: Past, steps: int
    ) -> tuple[np.ndarray, Past]:
        """The keys and values of the past and the new are written where they stay."""
        session = self.session(graph)
        binding = session.io_binding()
        for name, value in inputs.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(value))
        present = []
        for name, value in _named(past):
            binding.bind_cpu_input(f"past_key_values.{name}", np.ascontiguousarray(value))
            batch, heads, length, size = value.shape
            present.append(np.empty((batch, heads, length + steps, size), np.float32))
            binding.bind_output(
                f"present.{name}", "cpu", 0, np.float32, present[-1].shape, present[-1].ctypes.data
            )
        result = "hidden" if graph == "temporal_step" else "logits"
        binding.bind_output(result, "cpu")
        session.run_with_iobinding(binding)
        return binding.get_outputs()[len(present)].numpy(), present

    def _empty(self, layers: int, batch_size: int) -> Past:
        config = self.description.token_lm["language_config"]
        shape = (batch_size, config["num_key_value_heads"], 0, config["head_dim"])
        return [np.zeros(shape, np.float32) for _ in range(2 * layers)]


def _named(past: Past) -> Iterator[tuple[str, np.ndarray]]:
    for index, value in enumerate(past):
        yield f"{index // 2}.{'value' if index % 2 else 'key'}", value
