"""Sessions: streams in pieces of any size, where the step functions want whole frames."""

from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from catok.io.arrays import as_tensor
from catok.tokenizer import checks

if TYPE_CHECKING:
    from catok.tokenizer.interface import AudioTokenizer

LONG_FRAMES = 256  # more frames than this are worked off in pieces of as many


class StreamEncoder:
    """Audio in, codes out. All rows of a session advance together.

    `push` returns the codes of every frame completed so far; `flush` completes the last partial
    frame with zeros and readies the session for a new stream. `samples` counts what was pushed,
    after `flush` until the next push that of the stream that ended; with all codes it makes an
    `Encoded`: `tok.encoded(torch.cat(codes, dim=2), session.sample_lengths)`.
    """

    def __init__(
        self, model: "AudioTokenizer", batch_size: int = 1, num_quantizers: int | None = None
    ) -> None:
        self._model = model
        self._num_quantizers = checks.check_quantizers(num_quantizers, model.num_quantizers)
        self._batch_size = checks.check_batch_size(batch_size)
        self._start()
        self.samples = 0

    def _start(self) -> None:
        self._state = self._model.encoder_state(self._batch_size)
        self._waiting = _no_audio(self._model, self._batch_size)
        self._ended = True

    @property
    def sample_lengths(self) -> Tensor:
        """`samples` of every row: `[B]` int64 on the CPU."""
        return torch.full((self._batch_size,), self.samples, dtype=torch.int64, device="cpu")

    def push(self, samples: Any) -> Tensor:
        """Audio `[B, C, n]` (or `[C, n]`, or `[n]` for one mono row) -> codes `[B, K, m]`, m >= 0.

        At the model's `sample_rate`, as for `encode`. Memory beyond input and output does not grow
        with n. Raises ValueError as `encode` does; the session then stays as it was.
        """
        audio = as_tensor(samples, "samples [B, C, n]")
        if 0 < audio.dim() < 3:
            audio = audio.reshape(1, *(1,) * (2 - audio.dim()), *audio.shape)
        audio = checks.check_audio(audio, self._model.channels, may_be_empty=True)
        checks.check_samples(audio)
        if audio.shape[0] != self._batch_size:
            raise ValueError(f"the session has {self._batch_size} rows, got {audio.shape[0]}")
        if self._ended:
            self._ended, self.samples = False, 0
        pieces = audio.split(LONG_FRAMES * self._model.frame_size, dim=2)
        return torch.cat([self._push(piece) for piece in pieces], dim=2)

    def flush(self) -> Tensor:
        """Codes `[B, K, m]` of the last partial frame, m 0 or 1; the next push begins a stream."""
        missing = -self._waiting.shape[2] % self._model.frame_size
        codes = self._encode(pad(self._waiting, (0, missing)))
        if self._ended:
            self.samples = 0  # nothing was pushed: a stream without samples
        self._start()
        return codes

    def _push(self, piece: Tensor) -> Tensor:
        self.samples += piece.shape[2]
        waiting = torch.cat((self._waiting, piece.detach().to(self._waiting.device)), dim=2)
        whole = waiting.shape[2] // self._model.frame_size * self._model.frame_size
        self._waiting = waiting[..., whole:].clone()
        return self._encode(waiting[..., :whole])

    def _encode(self, chunk: Tensor) -> Tensor:
        if chunk.shape[2] == 0:
            shape = (self._batch_size, self._num_quantizers, 0)
            return torch.zeros(shape, dtype=torch.int64, device=self._model.device)
        codes, self._state = self._model.encode_frames(chunk, self._state, self._num_quantizers)
        return codes


class StreamDecoder:
    """Codes in, audio out, without delay. All rows of a session advance together.

    `samples`: the true length of every stream, if known; what the last frame holds beyond it is cut
    off. It may also be given to the last `push`. The attribute of that name counts what was
    returned, after `flush` until the next push that of the stream that ended.
    """

    def __init__(
        self, model: "AudioTokenizer", batch_size: int = 1, samples: int | None = None
    ) -> None:
        self._model = model
        self._batch_size = checks.check_batch_size(batch_size)
        self._limit = None if samples is None else _check_length(samples, 0)
        self._start()
        self.samples = 0

    def _start(self) -> None:
        self._state = self._model.decoder_state(self._batch_size)
        self._ended = True

    def push(self, codes: Any, *, samples: int | None = None) -> Tensor:
        """Codes `[B, K, n]` (or `[K, n]` for one row) -> audio `[B, C, n * frame_size]` or less.

        `samples`: the length of the whole stream, once it is known; the audio ends there. With the
        encoder's count it is what was recorded: `push(encoder.flush(), samples=encoder.samples)`.
        Memory beyond input and output does not grow with n. Raises ValueError as `decode` does, and
        on a length below what has been returned; the session then stays as it was.
        """
        codes = as_tensor(codes, "codes [B, K, n]")
        if codes.dim() == 2:
            codes = codes[None]
        codes = checks.check_codes_layout(codes, self._model.num_quantizers, may_be_empty=True)
        if codes.shape[0] != self._batch_size:
            raise ValueError(f"the session has {self._batch_size} rows, got {codes.shape[0]}")
        given = 0 if self._ended else self.samples
        limit = self._limit if samples is None else _check_length(samples, given)
        audio = _no_audio(self._model, self._batch_size)
        if codes.shape[2]:
            model = self._model
            codes = checks.check_codes(codes, model.num_quantizers, model.codebook_size)
            audio, self._state = model.decode_frames(codes, self._state)
        if limit is not None:
            audio = audio[..., : max(0, limit - given)]
        self._ended, self.samples = False, given + audio.shape[2]
        return audio

    def flush(self) -> Tensor:
        """End the stream: empty `[B, C, 0]`, as nothing is held back. The next push begins one."""
        if self._ended:
            self.samples = 0  # nothing was pushed: a stream without samples
        self._start()
        return _no_audio(self._model, self._batch_size)


def _no_audio(model: "AudioTokenizer", batch_size: int) -> Tensor:
    shape = (batch_size, model.channels, 0)
    return torch.zeros(shape, dtype=torch.float32, device=model.device)


def _check_length(samples: int, given: int) -> int:
    if isinstance(samples, bool) or not isinstance(samples, Integral) or samples < given:
        raise ValueError(
            f"samples is the length of the whole stream, of which {given} were returned, got "
            f"{samples!r}"
        )
    return int(samples)
