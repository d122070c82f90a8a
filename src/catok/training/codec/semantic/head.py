"""The semantic head: a language model predicts text from quantized latents (paper section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from catok.io.hub import HubOptions, find_companion
from catok.modules.transformers_weights import fill, shared_names
from catok.tokenizer.checkpoint import SEMANTIC
from catok.training.codec.semantic.decoder import (
    build_decoder,
    checkpoint_layers,
    decode_greedily,
    decoder_from_dict,
    decoder_to_dict,
)
from catok.training.codec.semantic.folder import CONFIG, TEXT, read_folder, write_folder
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.semantic.text import (
    ModelTargetTokenizer,
    TargetTokenizer,
    read_target_tokenizer,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENS_AT_ONCE = 1024  # under gradient checkpointing: 0.6 GB of float32 logits over Qwen's table


@dataclass(frozen=True)
class SemanticOutput:
    """Cross-entropy of a batch's text, in nats.

    `loss`: scalar, the mean over the batch's text tokens (0 without any). `token_loss_sum`: scalar,
    the sum. `text_tokens`: how many tokens that is, ends of text included. `rows`: texts in the
    loss; `dropped`: texts left out because they were too long.

    The loss is weighted by token, so means over ranks or accumulated batches are not means of
    `loss`: divide each `token_loss_sum` by the number of tokens of all of them, and under DDP,
    which averages gradients, multiply by the number of ranks.
    """

    loss: Tensor
    token_loss_sum: Tensor
    text_tokens: int
    rows: int
    dropped: int


class SemanticHead(nn.Module):
    """Reads `[task tag][adapted latents][text][end of text]` and predicts text and end of text.

    `latent_dim`: D of the latents. `language_model` and `text` take the place of what the
    configuration names. Raises ValueError when those cannot be read or do not belong together.
    """

    language_model: "PreTrainedModel"

    def __init__(
        self,
        config: SemanticConfig,
        latent_dim: int,
        *,
        language_model: "PreTrainedModel | None" = None,
        text: TargetTokenizer | None = None,
    ) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.config = config
        self.latent_dim = latent_dim
        self.text = read_target_tokenizer(config) if text is None else text
        if language_model is None:
            language_model = build_decoder(config, self.text.vocab_size)
        if isinstance(self.text, ModelTargetTokenizer) != (config.text == "model"):
            raise ValueError(f"text is {config.text!r}, but got a {type(self.text).__name__}")
        embeddings: Any = language_model.get_input_embeddings()
        rows, width = embeddings.weight.shape
        if rows < self.text.vocab_size:
            raise ValueError(
                f"the language model knows {rows} tokens, the text tokenizer has "
                f"{self.text.vocab_size}: they do not belong together"
            )
        self.language_model = language_model
        if config.gradient_checkpointing:
            checkpoint_layers(language_model)
        self.tags = nn.Parameter(0.02 * torch.randn(len(config.tasks), width))
        self.adapter = nn.Linear(latent_dim, width)

    def forward(
        self,
        latents: Tensor,
        frame_lengths: Tensor,
        texts: Sequence[str | None],
        tasks: Sequence[str],
    ) -> SemanticOutput:
        """The loss of the rows that have text; gradients reach the latents.

        `latents` `[B, D, F]` float, as the quantizer gives them; `frame_lengths` `[B]` int64, the
        frames that exist (0 to F); `texts`: per row its text or None; `tasks`: per row its task,
        not looked at where there is no text. The empty text is a text: nothing is said.

        Rows without text are not run, and padding has no influence on the others. When no row has
        text, an empty one is run for a loss of 0, so that every parameter and the latents get
        (zero) gradients and ranks stay in step. Raises ValueError on an unknown task or on
        arguments that do not fit together.
        """
        lengths = self._checked(latents, frame_lengths)
        if len(texts) != len(lengths) or len(tasks) != len(lengths):
            raise ValueError(f"{len(lengths)} rows, {len(texts)} texts and {len(tasks)} tasks")
        prompts: list[tuple[int, int, str]] = []
        labels: list[list[int]] = []
        dropped = 0
        for row, (text, task) in enumerate(zip(texts, tasks, strict=True)):
            if text is None:
                continue
            self._tag_of(task)
            ids = self.text.encode(text)
            if len(ids) > self.config.max_text_tokens:
                dropped += 1
            else:
                prompts.append((row, lengths[row], task))
                labels.append([*ids, self.text.eos])
        count, rows = sum(map(len, labels)), len(labels)
        if not rows:
            prompts, labels = [(0, 0, self.config.tasks[0])], [[self.text.eos]]
        total = self._loss_sum(self._prompts(latents, prompts), labels)
        if not rows:
            total = total * 0
        return SemanticOutput(total / max(count, 1), total, count, rows, dropped)

    def count_tokens(self, texts: Sequence[str | None]) -> int:
        """How many tokens `forward` predicts for these texts, ends of text included."""
        most = self.config.max_text_tokens
        counts = [len(self.text.encode(text)) for text in texts if text is not None]
        return sum(count + 1 for count in counts if count <= most)

    @torch.no_grad()
    def transcribe(
        self, latents: Tensor, frame_lengths: Tensor, task: str, max_tokens: int
    ) -> list[str]:
        """Greedy text of each row, at most `max_tokens` tokens; arguments as in `forward`.

        A row's text does not depend on the rows beside it, but for rounding.
        """
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
        lengths = self._checked(latents, frame_lengths)
        prompts = self._prompts(latents, [(i, n, task) for i, n in enumerate(lengths)])
        training = self.language_model.training
        self.language_model.eval()
        try:
            rows = decode_greedily(
                self.language_model,
                prompts,
                eos=self.text.eos,
                pad=self.text.pad,
                max_tokens=max_tokens,
            )
        finally:
            self.language_model.train(training)
        return [self.text.decode(row) for row in rows]

    def save_pretrained(
        self,
        folder: str | Path,
        weights: dict[str, Tensor] | None = None,
        *,
        dtype: str | torch.dtype | None = None,
    ) -> None:
        """Write semantic.json, semantic.safetensors and, if the text is not bytes, semantic_text/.

        They may join a tokenizer's own files; loading them needs nothing else. `weights`: the
        state put together, where this head holds but a shard of it. `dtype` narrows what is stored.
        """
        folder = Path(folder)
        if isinstance(self.text, ModelTargetTokenizer):
            self.text.save(folder / TEXT)
        twice = shared_names(self)
        state = self.state_dict() if weights is None else weights
        write_folder(
            folder,
            {name: tensor for name, tensor in state.items() if name not in twice},
            self.config,
            self.latent_dim,
            decoder_to_dict(self.language_model),
            dtype,
        )

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **hub: Unpack[HubOptions]) -> "SemanticHead":
        """Read what `save_pretrained` wrote, as float32, without the original language model.

        `name_or_path`: its folder, or a tokenizer (embedded name, folder or hub id) that was
        published with a head. Raises ValueError on anything missing, damaged or not belonging
        together.
        """
        folder = find_companion(name_or_path, CONFIG, SEMANTIC, **hub)
        stored = read_folder(folder)
        text = ModelTargetTokenizer(folder / TEXT) if stored.config.text == "model" else None

        def build() -> SemanticHead:
            decoder = decoder_from_dict(stored.decoder)
            return cls(stored.config, stored.latent_dim, language_model=decoder, text=text)

        head = stored.weights.build(build)
        fill(head, stored.weights)
        return head

    def _checked(self, latents: Tensor, frame_lengths: Tensor) -> list[int]:
        """The frame lengths as numbers. Raises ValueError on shapes that do not fit."""
        if latents.dim() != 3 or latents.shape[1] != self.latent_dim or not len(latents):
            raise ValueError(
                f"latents must be [B, {self.latent_dim}, F] with rows, got {list(latents.shape)}"
            )
        lengths = frame_lengths.tolist()
        frames = latents.shape[2]
        if len(lengths) != len(latents) or any(not 0 <= n <= frames for n in lengths):
            raise ValueError(f"frame_lengths must be {len(latents)} of 0 to {frames}: {lengths}")
        return lengths

    def _tag_of(self, task: str) -> int:
        if task not in self.config.tasks:
            raise ValueError(f"unknown task {task!r}; this head knows {list(self.config.tasks)}")
        return self.config.tasks.index(task)

    def _prompts(self, latents: Tensor, rows: list[tuple[int, int, str]]) -> list[Tensor]:
        """Per (row, frames, task) its `[1 + frames, hidden]` tag and adapted latents."""
        weight = self.adapter.weight
        frames = torch.cat([latents[row, :, :length].t() for row, length, _ in rows])
        adapted = self.adapter(frames.to(weight.dtype)).to(weight.dtype)
        parts = adapted.split([length for _, length, _ in rows])
        tags = [self.tags[self._tag_of(task)] for _, _, task in rows]
        return [torch.cat([tag[None], part]) for tag, part in zip(tags, parts, strict=True)]

    def _loss_sum(self, prompts: list[Tensor], labels: list[list[int]]) -> Tensor:
        """Cross-entropy summed over all labels, float32.

        Rows are padded on the right, behind everything that is predicted: causality is mask enough.
        """
        device = prompts[0].device
        flat = torch.tensor(list(chain.from_iterable(labels)), device=device)
        embedded = self.language_model.get_input_embeddings()(flat).split([len(x) for x in labels])
        rows = [torch.cat(pair) for pair in zip(prompts, embedded, strict=True)]
        decoder: Any = self.language_model.get_decoder()
        inputs = pad_sequence(rows, batch_first=True)
        hidden = decoder(inputs_embeds=inputs, use_cache=False).last_hidden_state
        # what stands before a token predicts it
        spans = [(len(p) - 1, len(p) - 1 + len(x)) for p, x in zip(prompts, labels, strict=True)]
        before = torch.cat([hidden[row, start:end] for row, (start, end) in enumerate(spans)])
        if not (self.config.gradient_checkpointing and torch.is_grad_enabled()):
            return self._cross_entropy(before, flat)
        chunks = zip(before.split(TOKENS_AT_ONCE), flat.split(TOKENS_AT_ONCE), strict=True)
        parts = [checkpoint(self._cross_entropy, *pair, use_reentrant=False) for pair in chunks]
        return torch.stack(parts).sum()  # type: ignore[arg-type]

    def _cross_entropy(self, hidden: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = self.language_model.get_output_embeddings()(hidden)  # type: ignore[misc]
        return F.cross_entropy(logits.float(), labels, reduction="sum")
