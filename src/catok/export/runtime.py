"""A tokenizer's graphs in onnxruntime: NumPy arrays in, NumPy arrays out, without PyTorch.

    runtime = OnnxRuntime("folder", threads=2)
    codes = runtime.encode(audio, lengths)                  # [B, C, T] float32, [B] -> [B, K, F]
    state = runtime.encoder_state(batch_size=1)
    codes, state = runtime.encode_step(chunk, state)        # [B, C, n * frame_size] -> [B, K, n]

Inputs are taken as they are: `OnnxTokenizer` checks them.
"""

from pathlib import Path

import numpy as np

from catok.export.description import Description, read_description
from catok.export.sessions import GraphSessions
from catok.export.state import OnnxState

LONG_FRAMES = 256  # more frames than this are worked off step by step
STEP_FRAMES = 32  # in steps of as many


class OnnxRuntime(GraphSessions):
    """The graphs of a folder that `catok export` wrote; each is loaded when it is first used.

    `threads`: of one operation, by default as many as there are cores. Raises ValueError where the
    folder is none, is damaged, or onnxruntime is not installed.
    """

    def __init__(self, folder: str | Path, *, threads: int | None = None) -> None:
        self.description: Description = read_description(folder)
        super().__init__(folder, self.description.graphs, threads)

    def encode(self, audio: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Audio `[B, C, T]` float32, lengths `[B]` in samples -> codes `[B, K, F]` int64.

        F is the frames of the longest row; codes past a row's end are 0.
        """
        frame = self.description.frame_size
        frames = -(-int(lengths.max()) // frame)
        if self._in_one_go("encode", frames):
            return self.run("encode", {"audio": audio, "lengths": lengths})["codes"]
        state, codes = self.encoder_state(len(audio)), []
        for start in range(0, frames, STEP_FRAMES):
            stop = min(start + STEP_FRAMES, frames)
            chunk = _cut(audio, start * frame, stop * frame, lengths)
            part, state = self.encode_step(chunk, state, in_place=True)
            codes.append(part)
        inside = np.arange(frames) < -(-lengths[:, None] // frame)
        return np.concatenate(codes, axis=2) * inside[:, None]

    def decode(self, codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Codes `[B, k, F]`, lengths `[B]` in samples -> audio `[B, C, max(lengths)]` float32.

        Audio past a row's end is 0.
        """
        frames, frame = codes.shape[2], self.description.frame_size
        if self._in_one_go("decode", frames):
            return self.run("decode", {"codes": codes, "lengths": lengths})["audio"]
        shape = (len(codes), self.description.channels, int(lengths.max()))
        audio, state = np.zeros(shape, np.float32), self.decoder_state(len(codes))
        for start in range(0, frames, STEP_FRAMES):
            chunk = np.ascontiguousarray(codes[:, :, start : start + STEP_FRAMES])
            sound, state = self.decode_step(chunk, state, in_place=True)
            piece = audio[:, :, start * frame : (start + STEP_FRAMES) * frame]
            piece[:] = sound[:, :, : piece.shape[2]]
        for row, length in zip(audio, lengths, strict=True):
            row[:, length:] = 0
        return audio

    def embed(self, codes: np.ndarray) -> np.ndarray:
        """Codes `[B, k, F]` -> the latents `[B, D, F]` float32 that the decoder hears."""
        return self.run("embed", {"codes": codes})["latents"]

    def encoder_state(self, batch_size: int = 1) -> OnnxState:
        """The state of `batch_size` streams to encode that have not begun."""
        return OnnxState.initial(self._graph("encode_step").state, batch_size)

    def decoder_state(self, batch_size: int = 1) -> OnnxState:
        """The state of `batch_size` streams to decode that have not begun."""
        return OnnxState.initial(self._graph("decode_step").state, batch_size)

    def encode_step(
        self,
        audio: np.ndarray,
        state: OnnxState,
        active: np.ndarray | None = None,
        *,
        in_place: bool = False,
    ) -> tuple[np.ndarray, OnnxState]:
        """Audio `[B, C, n * frame_size]` -> codes `[B, K, n]` and the next state.

        Rows not `active` (bool `[B]`) keep their place and give code 0. `in_place`: the old state
        may be overwritten, which saves a copy of it.
        """
        return self._step("encode_step", "audio", audio, "codes", state, active, in_place)

    def decode_step(
        self,
        codes: np.ndarray,
        state: OnnxState,
        active: np.ndarray | None = None,
        *,
        in_place: bool = False,
    ) -> tuple[np.ndarray, OnnxState]:
        """Codes `[B, k, n]` -> audio `[B, C, n * frame_size]` and the next state; as above."""
        return self._step("decode_step", "codes", codes, "audio", state, active, in_place)

    def _in_one_go(self, graph: str, frames: int) -> bool:
        return self.has(graph) and (frames <= LONG_FRAMES or not self.has(f"{graph}_step"))

    def _step(
        self,
        graph: str,
        given: str,
        value: np.ndarray,
        wanted: str,
        state: OnnxState,
        active: np.ndarray | None,
        in_place: bool,
    ) -> tuple[np.ndarray, OnnxState]:
        session = self.session(graph)
        binding = session.io_binding()
        binding.bind_cpu_input(given, np.ascontiguousarray(value))
        binding.bind_cpu_input("positions", state.positions)
        if active is None:
            active = np.ones(state.batch_size, bool)
        binding.bind_cpu_input("active", np.ascontiguousarray(active))
        binding.bind_output(wanted, "cpu")
        binding.bind_output("new_positions", "cpu")
        for name, ring in state.named_rings():
            binding.bind_ortvalue_input(f"past_key_values.{name}", ring)
            if in_place:
                binding.bind_ortvalue_output(f"present.{name}", ring)
            else:
                binding.bind_output(f"present.{name}", "cpu")
        session.run_with_iobinding(binding)
        result, positions, *rings = binding.get_outputs()
        new_rings = state.rings if in_place else tuple(rings)  # the old ones own their memory
        return result.numpy(), OnnxState(positions.numpy(), new_rings)


def _cut(audio: np.ndarray, start: int, stop: int, lengths: np.ndarray) -> np.ndarray:
    """Samples from start to stop, zero past each row's length and past the array's end."""
    chunk = np.zeros((*audio.shape[:2], stop - start), audio.dtype)
    for row, source, length in zip(chunk, audio, lengths, strict=True):
        piece = source[:, start : min(stop, int(length))]
        row[:, : piece.shape[1]] = piece
    return chunk
