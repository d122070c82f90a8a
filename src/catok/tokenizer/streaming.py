"""Sessions: streams in pieces of any size, where the step functions want whole frames."""

import torch
from torch import Tensor

from catok.tokenizer import checks
from catok.tokenizer.model import CodecModel


class StreamEncoder:
    """Audio in, codes out. All rows of a session advance together.

    `push` returns the codes of every frame completed so far; `flush` completes the last partial
    frame with zeros and readies the session for a new stream. `samples` counts what was pushed
    since the last flush, which with the codes makes an `Encoded`.
    """

    def __init__(
        self, model: CodecModel, batch_size: int = 1, num_quantizers: int | None = None
    ) -> None:
        self._model = model
        self._depth = checks.check_quantizers(num_quantizers, model.num_quantizers)
        self._batch_size = batch_size
        self._start()

    def _start(self) -> None:
        self.samples = 0
        self._state = self._model.encoder_state(self._batch_size)
        self._waiting = torch.zeros(self._batch_size, self._model.channels, 0)

    def push(self, samples: Tensor) -> Tensor:
        """Audio `[B, C, n]` (or `[C, n]`, or `[n]` for one mono row) -> codes `[B, K, m]`, m >= 0.

        Raises ValueError on wrong shape, type or non-finite samples; the session stays as it was.
        """
        if isinstance(samples, Tensor) and samples.dim() < 3:
            samples = samples.reshape(1, *(1,) * (2 - samples.dim()), *samples.shape)
        if isinstance(samples, Tensor) and samples.dim() == 3 and samples.shape[2] == 0:
            return self._no_codes()
        checks.check_audio(samples, self._model.channels)
        checks.check_finite(samples)
        if samples.shape[0] != self._batch_size:
            raise ValueError(f"the session has {self._batch_size} rows, got {samples.shape[0]}")
        waiting = torch.cat((self._waiting, samples.cpu()), dim=2)
        self.samples += samples.shape[2]
        whole = waiting.shape[2] // self._model.frame_size * self._model.frame_size
        self._waiting = waiting[..., whole:]
        return self._encode(waiting[..., :whole]) if whole else self._no_codes()

    def flush(self) -> Tensor:
        """Codes `[B, K, m]` of the last partial frame, m 0 or 1; then the session starts anew."""
        missing = -self._waiting.shape[2] % self._model.frame_size
        codes = self._no_codes()
        if missing:
            codes = self._encode(torch.nn.functional.pad(self._waiting, (0, missing)))
        self._start()
        return codes

    def _encode(self, chunk: Tensor) -> Tensor:
        codes, self._state = self._model.encode_step(chunk, self._state, num_quantizers=self._depth)
        return codes

    def _no_codes(self) -> Tensor:
        shape = (self._batch_size, self._depth, 0)
        return torch.zeros(shape, dtype=torch.int64, device=self._model.device)


class StreamDecoder:
    """Codes in, audio out, without delay. All rows of a session advance together.

    `samples`: the stream's true length, if known; what the last frame holds beyond it is cut off.
    """

    def __init__(self, model: CodecModel, batch_size: int = 1, samples: int | None = None) -> None:
        self._model = model
        self._batch_size = batch_size
        self._limit = samples
        self._start()

    def _start(self) -> None:
        self.samples = 0
        self._state = self._model.decoder_state(self._batch_size)

    def push(self, codes: Tensor) -> Tensor:
        """Codes `[B, K, n]` (or `[K, n]` for one row) -> audio `[B, C, n * frame_size]` or less.

        Raises ValueError on codes of the wrong shape, type or range.
        """
        if isinstance(codes, Tensor) and codes.dim() == 2:
            codes = codes[None]
        if isinstance(codes, Tensor) and codes.dim() == 3 and codes.shape[2] == 0:
            return self._silence()
        audio, self._state = self._model.decode_step(codes, self._state)
        if self._limit is not None:
            audio = audio[..., : max(0, self._limit - self.samples)]
        self.samples += audio.shape[2]
        return audio

    def flush(self) -> Tensor:
        """End the stream. Nothing is ever held back: empty `[B, C, 0]`; then it starts anew."""
        self._start()
        return self._silence()

    def _silence(self) -> Tensor:
        return torch.zeros(self._batch_size, self._model.channels, 0, device=self._model.device)
