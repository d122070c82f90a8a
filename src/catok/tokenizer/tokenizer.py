"""CausalAudioTokenizer, what a user calls: recordings of any length in, codes out, and back."""

import tempfile
from pathlib import Path
from typing import Literal, Unpack, overload

import torch
from torch import Tensor, nn

from catok.codes import Encoded
from catok.io.devices import as_device
from catok.io.hub import HubOptions, find_folder, model_name, upload_folder
from catok.io.weights import float_dtype
from catok.tokenizer import checkpoint, checks
from catok.tokenizer.backends import load_with
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.interface import AudioTokenizer
from catok.tokenizer.model import LONG_FRAMES, CodecModel, Part


class CausalAudioTokenizer(CodecModel, AudioTokenizer):
    """A `CodecModel` with recordings, sessions and folders of weights around it.

    `model_id` goes into what `encode` returns, as provenance.
    """

    def __init__(self, config: TokenizerConfig, *, part: Part = "all", model_id: str = "") -> None:
        super().__init__(config, part=part)
        self.model_id = model_id

    @overload
    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: str | torch.dtype = torch.float32,
        part: Part = "all",
        backend: Literal["torch"] = "torch",
        threads: None = None,
        **hub: Unpack[HubOptions],
    ) -> "CausalAudioTokenizer": ...

    @overload
    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        part: Part = "all",
        backend: str,
        threads: int | None = None,
        **hub: Unpack[HubOptions],
    ) -> AudioTokenizer: ...

    @classmethod
    @torch.inference_mode(False)  # weights made in inference mode could never be trained
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: str | torch.dtype = torch.float32,
        part: Part = "all",
        backend: str = "torch",
        threads: int | None = None,
        **hub: Unpack[HubOptions],
    ) -> AudioTokenizer:
        """Load "tiny" (embedded), a local folder (ours or a released one) or a hub id.

        `dtype` float32, bfloat16 or float16, also by name, is that of encoder and decoder; the
        quantizer stays float32. `part` "encoder" or "decoder" loads that half only. A local folder
        never touches the network; for a hub id see `HubOptions` (revision, token, cache_dir,
        local_files_only). Raises ValueError when anything is missing, damaged or does not fit.

        `backend` "onnx" runs the graphs that `catok export` wrote into a folder, on the CPU with
        `threads` threads: an `AudioTokenizer` of the same methods, `catok.export.OnnxTokenizer`.
        """
        dtype, device = float_dtype(dtype), as_device(device)
        if backend != "torch":
            if device.type != "cpu" or dtype != torch.float32:
                raise ValueError(
                    f"backend {backend!r} computes on the CPU, with weights of the dtype that they "
                    "were exported in: leave device and dtype out"
                )
            folder = find_folder(name_or_path, graphs=True, **hub)
            return load_with(backend, folder, part=part, threads=threads)
        if threads is not None:
            raise ValueError('threads is for backend="onnx": call torch.set_num_threads instead')
        folder = find_folder(name_or_path, **hub)
        config = checkpoint.load_config(folder)
        weights = checkpoint.open_weights(folder, part)
        name = model_name(name_or_path)
        model = weights.build(lambda: cls(config, part=part, model_id=name))
        tensors = checkpoint.read_state(folder, weights, model.state_dict(), config, dtype)
        model.load_state_dict(tensors, assign=True)
        return model.to(device).eval()

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        dtype: str | torch.dtype | None = None,
        layout: checkpoint.Layout = "released",
    ) -> None:
        """Write config.json and model.safetensors in the released layout.

        `dtype` narrows the stored floats, for example float16 to halve the file; the quantizer
        stays float32, so that the codes and the weight hash stay. `layout` "transformers" is that
        of the class proposed for transformers, which 24 kHz models fit; codes and sound stay, but
        the weight hash becomes another, for the quantizer's weight norms are worked out. Raises
        ValueError if only half of the model is loaded, on weights that are not finite, and on a
        model that the layout cannot express.
        """
        if self.part != "all":
            raise ValueError(f'only the {self.part} is loaded: load part="all" to save a model')
        checkpoint.save_folder(folder, self.config, self.state_dict(), dtype, layout)

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
        """Upload the model to the hub repository `repo_id`, made if needed; returns its address.

        Raises ConnectionError when the hub cannot be reached, ValueError when it refuses.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return upload_folder(folder, repo_id, private=private, token=token)

    @torch.no_grad()
    def encode(
        self,
        audio: Tensor,
        lengths: Tensor | None = None,
        num_quantizers: int | None = None,
    ) -> Encoded:
        """Audio `[B, C, T]` float32 of any length -> `Encoded`; codes past a row's end are 0.

        The audio must have the model's `sample_rate`: samples do not tell, and at another rate they
        are encoded without an error, as sound that is faster or slower. `load_audio(file,
        sample_rate=tok.sample_rate)` and `resample` convert.

        `lengths` `[B]`: true lengths in samples, where rows are padded. No sample is lost: a last
        partial frame is completed with zeros. Memory beyond input and output does not grow with T.
        Raises ValueError on empty, non-finite, wrongly shaped or wrongly typed input, and where a
        sample of any row is 60 dB over full scale: integers that were stored as floats.
        """
        encoder = self.side("encoder")
        audio = checks.check_audio(audio, self.channels)
        lengths = checks.check_lengths(lengths, audio.shape[0], audio.shape[2])
        num_quantizers = checks.check_quantizers(num_quantizers, self.num_quantizers)
        frames = -(-int(lengths.max()) // self.frame_size)
        state = self.encoder_state(audio.shape[0]) if frames > LONG_FRAMES else None
        chunks = []
        for start in range(0, frames, LONG_FRAMES):
            chunk = self._cut(audio, lengths, start, min(start + LONG_FRAMES, frames))
            if state is None:
                latents = encoder(self.interleave(chunk))
            else:
                latents, state = encoder.step(self.interleave(chunk), state)
            chunks.append(self.quantizer.encode(latents, num_quantizers))
        codes = zero_after(torch.cat(chunks, dim=2), -(-lengths // self.frame_size))
        return self.encoded(codes, lengths)

    @torch.no_grad()
    def decode(self, codes: Encoded | Tensor, num_quantizers: int | None = None) -> Tensor:
        """Codes -> audio float32; of the codebooks only the first `num_quantizers` are used.

        The audio has the model's `sample_rate`. An `Encoded` gives `[B, C, max(sample_lengths)]`,
        zero after each row's end; a bare `[B, K, F]` int64 tensor gives `[B, C, F * frame_size]`.
        Raises ValueError on codes of another model, out of range or in another layout.
        """
        decoder = self.side("decoder")
        lengths = None
        if isinstance(codes, Encoded):
            self.check_code_space(codes)
            codes, lengths = codes.codes, codes.sample_lengths
        codes = checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        num_quantizers = checks.check_quantizers(num_quantizers, codes.shape[1])
        batch, _, frames = codes.shape
        samples = frames * self.frame_size
        lengths = checks.check_lengths(lengths, batch, samples)
        audio = torch.empty(
            batch, self.channels, int(lengths.max()), dtype=torch.float32, device=self.device
        )
        state = self.decoder_state(batch) if frames > LONG_FRAMES else None
        for first in range(0, frames, LONG_FRAMES):
            chunk = codes[:, :num_quantizers, first : first + LONG_FRAMES].to(self.device)
            latents = self.quantizer.decode(chunk)
            if state is None:
                decoded = decoder(latents)
            else:
                decoded, state = decoder.step(latents, state)
            start = first * self.frame_size
            piece = audio[..., start : start + LONG_FRAMES * self.frame_size]
            sound = zero_after(self.separate(decoded.float()), lengths - start)
            piece.copy_(sound[..., : piece.shape[2]])
        return audio

    def _cut(self, audio: Tensor, lengths: Tensor, start: int, stop: int) -> Tensor:
        """Frames start to stop of the audio on the model's device, zero past each row's length."""
        first, last = start * self.frame_size, stop * self.frame_size
        chunk = zero_after(audio[..., first:last], lengths - first)
        checks.check_samples(chunk)
        return nn.functional.pad(chunk, (0, last - first - chunk.shape[2])).to(self.device)


def zero_after(x: Tensor, lengths: Tensor) -> Tensor:
    """`[B, N, T]` with everything from `lengths[b]` on set to 0, NaN too."""
    if int(lengths.min()) >= x.shape[2]:
        return x
    inside = torch.arange(x.shape[2], device=x.device) < lengths.to(x.device)[:, None]
    return x.masked_fill(~inside[:, None], 0)
