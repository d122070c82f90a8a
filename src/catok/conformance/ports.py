"""What a port is called through: a loader of folders, and the tasks on what it loaded.

Two interfaces are known, told apart by what an object has: that of `CausalAudioTokenizer`
(`encode_step`), and that of the transformers classes (`encode(input_values, padding_mask, ...)`).
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from catok.conformance.judging import NotOffered
from catok.conformance.kit import Variant
from catok.conformance.tasks import Step, Task


class Loaded(Protocol):
    """A port with a model."""

    def run(self, task: Task) -> Sequence[np.ndarray]:
        """A task's output, a row each: codes `[K, F]` or audio `[C, T]`; padding cut off.

        Raises `NotOffered` for what the port does not have.
        """
        ...


class Port(Protocol):
    """Something that loads the model of a variant; all its `tasks` are told beforehand."""

    name: str

    def load(self, variant: Variant, tasks: Sequence[Task]) -> Loaded: ...


class ClassPort:
    """A class with `from_pretrained(folder)`; `options` are passed on to it.

    `folder_of` says where a variant's model lies for it, where that is not the kit's own folder.
    """

    def __init__(
        self,
        kind: Any,
        name: str,
        folder_of: Callable[[Variant], Path] = lambda variant: variant.folder,
        **options: Any,
    ) -> None:
        self.name = name
        self._kind, self._folder_of, self._options = kind, folder_of, options

    def load(self, variant: Variant, tasks: Sequence[Task]) -> Loaded:
        """Raises whatever the class raises."""
        model = self._kind.from_pretrained(self._folder_of(variant), **self._options)
        return TokenizerCalls(model) if hasattr(model, "encode_step") else ModelCalls(model)


def imported_class(name: str) -> Any:
    """The class of "module:Class". Raises ValueError where there is none."""
    module, _, attribute = name.partition(":")
    try:
        value = import_module(module)
        for part in attribute.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"no class {name}: {error}") from error
    if not hasattr(value, "from_pretrained"):
        raise ValueError(f"{name} has no from_pretrained(folder): give it one")
    return value


class TokenizerCalls:
    """`encode`, `decode`, the steps and states of `CausalAudioTokenizer`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def run(self, task: Task) -> Sequence[np.ndarray]:
        tokenizer, given = self._tokenizer, torch.from_numpy(task.input)
        lengths = torch.tensor(task.lengths)
        if task.steps is not None:
            return self._stream(task, task.steps, given)
        if task.direction == "encode":
            encoded = tokenizer.encode(given, lengths=lengths, num_quantizers=task.depth)
            pairs = zip(encoded.codes, encoded.frame_lengths, strict=True)
            return [_array(codes[:, : int(frames)]) for codes, frames in pairs]
        encoded = tokenizer.encoded(given, lengths)
        audio = tokenizer.decode(encoded, num_quantizers=task.depth)
        return [_array(row[:, :length]) for row, length in zip(audio, task.lengths, strict=True)]

    def _stream(self, task: Task, steps: Sequence[Step], given: Tensor) -> Sequence[np.ndarray]:
        tokenizer, batch = self._tokenizer, len(task.places)
        encodes = task.direction == "encode"
        state = tokenizer.encoder_state(batch) if encodes else tokenizer.decoder_state(batch)
        width = tokenizer.frame_size if encodes else 1
        chunks = given.split([step.frames * width for step in steps], dim=2)
        outputs = []
        for step, chunk in zip(steps, chunks, strict=True):
            if step.reset:
                state.reset(list(step.reset))
            active = None if all(step.active) else torch.tensor(step.active)
            advance = tokenizer.encode_step if encodes else tokenizer.decode_step
            out, state = advance(chunk, state, active)
            outputs.append(out)
        return list(_array(torch.cat(outputs, dim=2)))


class ModelCalls:
    """`encode` and `decode` as the transformers class of `catok.hf` and the proposed native one.

    Audio is padded to whole frames, masks of codes are by frame, and sound is cut to its length
    here, as callers of these classes do. Waiting and resetting rows are asked only of caches that
    have `reset`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def run(self, task: Task) -> Sequence[np.ndarray]:
        given = torch.from_numpy(task.input)
        if task.steps is not None:
            return self._stream(task, task.steps, given)
        size = self._model.config.hop_length
        with torch.no_grad():
            if task.direction == "encode":
                given = torch.nn.functional.pad(given, (0, -given.shape[2] % size))
                mask = _mask(task.lengths, given.shape[2])
                output = self._model.encode(given, mask, num_quantizers=task.depth)
                lengths = output.audio_codes_mask.sum(1)
                pairs = zip(output.audio_codes, lengths, strict=True)
                return [_array(codes[:, : int(n)]) for codes, n in pairs]
            frames = [-(-length // size) for length in task.lengths]
            output = self._model.decode(given, _mask(frames, given.shape[2]))
            pairs = zip(output.audio_values, task.lengths, strict=True)
            return [_array(audio[:, :length]) for audio, length in pairs]

    def _stream(self, task: Task, steps: Sequence[Step], given: Tensor) -> Sequence[np.ndarray]:
        encodes, batch = task.direction == "encode", len(task.places)
        cache = self._cache("encoder" if encodes else "decoder", batch)
        width = task.lengths[0] // sum(step.frames for step in steps) if encodes else 1
        chunks = given.split([step.frames * width for step in steps], dim=2)
        outputs = []
        with torch.no_grad():
            for step, chunk in zip(steps, chunks, strict=True):
                mask = None
                if not all(step.active) or step.reset:
                    if not hasattr(cache, "reset"):
                        raise NotOffered("its cache has no rows of their own")
                    if step.reset:
                        cache.reset(list(step.reset))
                    rows = torch.tensor(step.active, dtype=torch.int64)
                    mask = rows[:, None].expand(-1, chunk.shape[2])
                advance = self._model.encode if encodes else self._model.decode
                out = advance(chunk, mask, past_key_values=cache)
                outputs.append(out.audio_codes if encodes else out.audio_values)
        return list(_array(torch.cat(outputs, dim=2)))

    def _cache(self, side: str, batch: int) -> Any:
        if hasattr(self._model, f"{side}_cache"):
            return getattr(self._model, f"{side}_cache")(batch)
        config = getattr(getattr(self._model, side, None), "config", None)
        layers = getattr(config, "transformer_configs", None)
        if layers is None:
            raise NotOffered("it has no streaming cache that is known")
        from transformers import DynamicCache

        return [DynamicCache(config=each) for each in layers]


def _mask(lengths: Sequence[int], width: int) -> Tensor:
    return (torch.arange(width) < torch.tensor(lengths)[:, None]).long()


def _array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
