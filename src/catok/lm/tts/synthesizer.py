"""Synthesizer, what a user calls: text in, speech out, whole or while it is made."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from catok.data.languages import language_code
from catok.lm.continuous import GenerationRequest, generate_continuously
from catok.lm.from_pretrained import FromPretrained
from catok.lm.generation import Generated, generate_frames
from catok.lm.prompt import PromptBuilder
from catok.lm.sampler import draw_seeds
from catok.lm.sampling import SamplingConfig
from catok.lm.speech_model import SpeechModel
from catok.lm.tts.long_form import PAUSE, LongFormPlan, LongFormStream, SpeechPiece, silence
from catok.lm.tts.prompt import GenerationSettings, SpeechPrompt, build_prompt, by_settings
from catok.lm.tts.reference import SHORTEST, reference_codes
from catok.lm.tts.request import Reference, SpeechRequest, as_request
from catok.lm.tts.speech import Speech, WholeSpeech
from catok.lm.tts.streaming import SpeechStream, decode_rows
from catok.lm.tts.text_splitting import MAX_LENGTH, split_text
from catok.lm.tts.verbalization import verbalize
from catok.tokenizer.checks import check_quantizers

if TYPE_CHECKING:
    from catok.lm.tts.best_of_n import BestOfN


class Synthesizer(FromPretrained):
    """A speech model that speaks. What and how is said in a `SpeechRequest`, or a bare text.

    Every method raises ValueError on requests that do not fit the model.
    """

    task = "tts"

    def __init__(self, speech: SpeechModel) -> None:
        self.model = speech.model
        self.tokenizer = speech.tokenizer
        self.prompt_builder = PromptBuilder(speech.model.config, speech.text)
        self.config = config = speech.config
        self.sampling = config.sampling if config else SamplingConfig()
        self.languages = config.languages if config else ()
        available = speech.model.config.n_vq
        self.default_quantizers = check_quantizers(config and config.num_quantizers, available)

    @property
    def sample_rate(self) -> int:
        """Of the audio it makes, in Hz."""
        return self.tokenizer.sample_rate

    @property
    def num_quantizers(self) -> int:
        """Codebooks it can make."""
        return self.model.config.n_vq

    def synthesize(self, requests: Sequence[SpeechRequest | str]) -> list[Speech]:
        """Speech of every request, made together."""
        if isinstance(requests, str):
            raise ValueError("requests must be a list: put the one text in brackets")
        return self.synthesize_prompts(self.prompts(requests))

    def stream(self, request: SpeechRequest | str) -> SpeechStream:
        """Iterate over audio `[C, frame_size]`, each piece ready as soon as its frame is chosen.

        Joined along time they are what `synthesize` gives for the seed.
        """
        return self._stream(self.prompt(request))

    def synthesize_long(
        self,
        request: SpeechRequest | str,
        *,
        max_length: int = MAX_LENGTH,
        pause: float = PAUSE,
        best_of: "BestOfN | None" = None,
    ) -> LongFormStream:
        """Iterate over the audio of a text of any length, cut by `split_text` and streamed.

        `pause` seconds of silence stand between two pieces; the request's `max_seconds` is the
        limit of each. All pieces use its reference; without one, the first piece is the voice that
        the others continue. Piece n has seed + n. A text of one piece sounds as from `stream`. With
        `best_of` the pieces come whole, each the best of several.
        """
        plan = self.plan_long(request, max_length=max_length)

        def synthesize(piece: SpeechRequest) -> SpeechPiece:
            if best_of is None:
                return self.stream(piece)
            return WholeSpeech(best_of.synthesize(self, [piece])[0])

        gap = silence(self.tokenizer.channels, pause, self.sample_rate)
        return LongFormStream(plan, synthesize, gap)

    def plan_long(
        self, request: SpeechRequest | str, *, max_length: int = MAX_LENGTH
    ) -> LongFormPlan:
        """The pieces of a text of any length, for who makes them himself."""
        request = self.as_read(request)
        return self.plan_pieces(request, split_text(request.text, max_length))

    def plan_pieces(self, request: SpeechRequest, texts: Sequence[str] = ()) -> LongFormPlan:
        """The same for pieces that are given, or added later, instead of the request's text."""
        seed = draw_seeds(1)[0] if request.seed is None else request.seed
        least_frames = math.ceil(SHORTEST * self.tokenizer.frame_rate)
        return LongFormPlan(replace(self.with_codes(request), seed=seed), texts, least_frames)

    def encode_reference(self, reference: Reference) -> Tensor:
        """A reference recording as codes `[n_vq, F]` int64, to be used many times."""
        return reference_codes(reference, self.tokenizer, self.model.config, self.num_quantizers)

    def with_codes(self, request: SpeechRequest) -> SpeechRequest:
        """The request with its references encoded, to be used many times."""
        codes = self._references(request)
        if isinstance(request.reference, list):
            return replace(request, reference=codes)
        return replace(request, reference=codes[0]) if codes else request

    def as_read(self, request: SpeechRequest | str) -> SpeechRequest:
        """The request as the model reads it: its texts are written out, where they are to be."""
        request = as_request(request)
        if not self._verbalizes(request):
            return replace(request, verbalize=False)
        said = request.reference_text
        return replace(
            request,
            text=verbalize(request.text),
            reference_text=said and verbalize(said),
            verbalize=False,
        )

    def unknown_characters(self, text: str) -> str:
        """See `SpeechConfig`; the text is that of `as_read`."""
        return "" if self.config is None else self.config.unknown_characters(text)

    def prompt(self, request: SpeechRequest | str) -> SpeechPrompt:
        """Check a request and lay it out, for `synthesize_prompts`."""
        request = self.as_read(request)
        settings = GenerationSettings(
            self.resolve_num_quantizers(request.num_quantizers), request.sampling or self.sampling
        )
        tokens = build_prompt(self.prompt_builder, request, self._references(request))
        frames = math.ceil(request.most_seconds * self.tokenizer.frame_rate)
        seed = draw_seeds(1)[0] if request.seed is None else request.seed
        return SpeechPrompt(tokens, request.text, settings, frames, seed)

    def prompts(self, requests: Sequence[SpeechRequest | str]) -> list[SpeechPrompt]:
        """`prompt` of each."""
        return [self.prompt(request) for request in requests]

    def synthesize_prompts(self, prompts: Sequence[SpeechPrompt]) -> list[Speech]:
        """Speech of requests that are laid out."""
        return self.decode_codes(prompts, self.generate_codes(prompts))

    def generate_codes(self, prompts: Sequence[SpeechPrompt]) -> list[Generated]:
        """The codes of every prompt; `decode_codes` makes speech of them.

        A few run at a time, and the next one begins when one ends.
        """
        return generate_continuously(self.model, [self.generation(each) for each in prompts])

    @staticmethod
    def generation(prompt: SpeechPrompt) -> GenerationRequest:
        """What the language model is asked for a prompt's speech."""
        return GenerationRequest(
            prompt.tokens.conditional,
            prompt.settings.num_quantizers,
            prompt.settings.sampling,
            prompt.max_frames,
            prompt.seed,
            prompt.tokens.unconditional,
        )

    def decode_codes(
        self, prompts: Sequence[SpeechPrompt], outputs: Sequence[Generated]
    ) -> list[Speech]:
        """What `generate_codes` made of the same prompts, as speech."""
        speech: dict[int, Speech] = {}
        for group in by_settings(prompts):
            codes = [outputs[index].codes for index in group]
            prefixes = [prompts[index].tokens.prefix[: len(codes[0])] for index in group]
            decoded = decode_rows(self.tokenizer, prefixes, codes)
            for index, audio in zip(group, decoded, strict=True):
                output = outputs[index]
                speech[index] = Speech(audio, output.codes, output.ended, self.sample_rate)
        return [speech[index] for index in range(len(prompts))]

    def resolve_num_quantizers(self, num_quantizers: int | None) -> int:
        """How many codebooks are in use. Raises ValueError if the model has fewer."""
        if num_quantizers is None:
            return self.default_quantizers
        return check_quantizers(num_quantizers, self.num_quantizers)

    def _references(self, request: SpeechRequest) -> list[Tensor | None]:
        """Codes `[n_vq, F]` of the request's references.

        What is only given beside the text is cut to what the model knows from its training; a
        recording that is continued has a transcript, and stays whole.
        """
        num_quantizers = self.resolve_num_quantizers(request.num_quantizers)
        config = self.model.config
        most = None
        if request.clones_only and self.config and self.config.reference_seconds:
            most = max(1, round(self.config.reference_seconds * self.tokenizer.frame_rate))
        return [
            each
            if each is None
            else reference_codes(each, self.tokenizer, config, num_quantizers)[:, :most]
            for each in request.references
        ]

    def _verbalizes(self, request: SpeechRequest) -> bool:
        """Raises ValueError where a text that is not English is to be written out."""
        if request.verbalize is False:
            return False
        known = self.config.languages if self.config else ()
        language = request.language or (known[0] if len(known) == 1 else None)
        english = language_code(language) == "en"
        if request.verbalize and language and not english:
            raise ValueError(f"only English can be written out (verbalize), the text is {language}")
        asked = self.config is not None and self.config.reads_digits is False
        return request.verbalize or (english and asked)

    def _stream(self, prompt: SpeechPrompt) -> SpeechStream:
        settings = prompt.settings
        frames = generate_frames(
            self.model,
            [prompt.tokens.conditional],
            num_quantizers=settings.num_quantizers,
            sampling=settings.sampling,
            max_frames=prompt.max_frames,
            seeds=[prompt.seed],
            unconditional=[prompt.tokens.unconditional],
        )
        prefix = prompt.tokens.prefix[: settings.num_quantizers]
        return SpeechStream(frames, self.tokenizer, prefix)
