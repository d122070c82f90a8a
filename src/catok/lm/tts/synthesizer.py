"""Synthesizer, what a user calls: text in, speech out, whole or while it is made."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from catok.io.numbers import check_number
from catok.lm.from_pretrained import FromPretrained
from catok.lm.generation import Generated, generate, generate_frames
from catok.lm.prompt import Prompter
from catok.lm.sampler import SEEDS, check_seed, draw_seeds
from catok.lm.sampling import SamplingConfig
from catok.lm.speech_model import SpeechModel
from catok.lm.tts.decoding import decode_rows
from catok.lm.tts.narration import PAUSE, Narration, Spoken, Voice, silence
from catok.lm.tts.reference import SHORTEST, Reference, reference_codes
from catok.lm.tts.request import Mode, Request, build_request
from catok.lm.tts.script import script
from catok.lm.tts.sentences import MAX_LENGTH, pieces
from catok.lm.tts.speech import Speech, WholeSpeech
from catok.lm.tts.streaming import SpeechStream
from catok.tokenizer.checks import check_quantizers

if TYPE_CHECKING:
    from catok.lm.tts.choosing import Chooser

MAX_SECONDS = 60.0


class Synthesizer(FromPretrained):
    """A speech model that speaks.

    Every method takes `num_quantizers` K: only the first K codebooks are read, chosen and decoded;
    None is the model's default. `sampling` None is the model's own too. A result depends on its
    seed alone, not on its batch (but for rounding); None draws one. `max_seconds`: where speech
    that does not end is cut off. Raises ValueError on arguments that do not fit.
    """

    task = "tts"

    def __init__(self, speech: SpeechModel) -> None:
        self.model = speech.model
        self.tokenizer = speech.tokenizer
        self.prompter = Prompter(speech.model.config, speech.text)
        config = speech.config
        self.sampling = config.sampling if config else SamplingConfig()
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

    def encode_reference(self, reference: Reference) -> Tensor:
        """A reference recording as codes `[n_vq, F]` int64, to be used many times."""
        return reference_codes(reference, self.tokenizer, self.model.config, self.num_quantizers)

    def request(
        self,
        text: str,
        *,
        reference: Reference | None = None,
        prompt_text: str | None = None,
        mode: Mode | None = None,
        language: str | None = None,
        num_quantizers: int | None = None,
    ) -> Request:
        """Check one utterance and lay it out; for `speak`, with the same `num_quantizers`.

        `reference` in the given `mode`: see `build_request`. Raises ValueError as it does.
        """
        depth = self.depth(num_quantizers)
        codes = None
        if reference is not None:
            codes = reference_codes(reference, self.tokenizer, self.model.config, depth)
        return build_request(
            self.prompter,
            text,
            reference=codes,
            prompt_text=prompt_text,
            mode=mode,
            language=language,
        )

    def speak(
        self,
        requests: Sequence[Request],
        *,
        num_quantizers: int | None = None,
        sampling: SamplingConfig | None = None,
        seeds: Sequence[int] | None = None,
        max_seconds: float = MAX_SECONDS,
    ) -> list[Speech]:
        """Speech of every request, made together."""
        made = self.write(
            requests,
            num_quantizers=num_quantizers,
            sampling=sampling,
            seeds=seeds,
            max_seconds=max_seconds,
        )
        return self.sound(requests, made)

    def write(
        self,
        requests: Sequence[Request],
        *,
        num_quantizers: int | None = None,
        sampling: SamplingConfig | None = None,
        seeds: Sequence[int] | None = None,
        max_seconds: float = MAX_SECONDS,
    ) -> list[Generated]:
        """The codes of every request, made together; `sound` makes them audible."""
        depth = self.depth(num_quantizers)
        if not requests:
            return []
        return generate(
            self.model,
            [request.rows for request in requests],
            num_quantizers=depth,
            sampling=sampling or self.sampling,
            max_frames=self._frames(max_seconds),
            seeds=seeds,
            without_text=[request.without_text for request in requests],
        )

    def sound(self, requests: Sequence[Request], made: Sequence[Generated]) -> list[Speech]:
        """What `write` made of the same requests, as speech."""
        codes = [each.codes for each in made]
        prefixes = [r.prefix[: len(own)] for r, own in zip(requests, codes, strict=True)]
        sound = decode_rows(self.tokenizer, prefixes, codes)
        return [
            Speech(audio, each.codes, each.ended, self.sample_rate)
            for audio, each in zip(sound, made, strict=True)
        ]

    def synthesise(
        self,
        texts: Sequence[str],
        *,
        references: Sequence[Reference | None] | None = None,
        prompt_texts: Sequence[str | None] | None = None,
        mode: Mode | None = None,
        language: str | Sequence[str | None] | None = None,
        num_quantizers: int | None = None,
        sampling: SamplingConfig | None = None,
        seeds: Sequence[int] | None = None,
        max_seconds: float = MAX_SECONDS,
    ) -> list[Speech]:
        """Speech of every text; `references` and `prompt_texts` have one entry per text.

        `language`: one tag for all, or one per text.
        """
        requests = [
            self.request(
                line.text,
                reference=line.reference,
                prompt_text=line.prompt_text,
                mode=mode,
                language=line.language,
                num_quantizers=num_quantizers,
            )
            for line in script(texts, references, prompt_texts, language)
        ]
        return self.speak(
            requests,
            num_quantizers=num_quantizers,
            sampling=sampling,
            seeds=seeds,
            max_seconds=max_seconds,
        )

    def stream(
        self,
        text: str,
        *,
        reference: Reference | None = None,
        prompt_text: str | None = None,
        mode: Mode | None = None,
        language: str | None = None,
        num_quantizers: int | None = None,
        sampling: SamplingConfig | None = None,
        seed: int | None = None,
        max_seconds: float = MAX_SECONDS,
    ) -> SpeechStream:
        """Iterate over audio `[C, frame_size]`, each piece ready as soon as its frame is chosen.

        Joined along time they are what `synthesise` gives for the seed.
        """
        depth = self.depth(num_quantizers)
        request = self.request(
            text,
            reference=reference,
            prompt_text=prompt_text,
            mode=mode,
            language=language,
            num_quantizers=depth,
        )
        return self._stream(request, depth, sampling, seed, max_seconds)

    def narrate(
        self,
        text: str,
        *,
        reference: Reference | None = None,
        prompt_text: str | None = None,
        mode: Mode | None = None,
        language: str | None = None,
        num_quantizers: int | None = None,
        sampling: SamplingConfig | None = None,
        seed: int | None = None,
        max_seconds: float = MAX_SECONDS,
        max_length: int = MAX_LENGTH,
        pause: float = PAUSE,
        chooser: "Chooser | None" = None,
    ) -> Narration:
        """Iterate over the audio of a text of any length, spoken in `pieces` and streamed.

        `pause` seconds of silence stand between two pieces; `max_seconds` is the limit of each. All
        pieces use the same `reference`; without one, the first piece is the voice that the others
        continue. Piece n has seed + n. A text of one piece sounds as from `stream`. With a
        `chooser` the pieces come whole, each the best of several readings.
        """
        voice = None if reference is None else self.encode_reference(reference)
        self._frames(max_seconds)  # refused before anything is spoken
        first = draw_seeds(1)[0] if seed is None else check_seed(seed)
        depth = self.depth(num_quantizers)

        def say(number: int, piece: str, kept: Voice | None) -> Spoken:
            request = self.request(
                piece,
                reference=kept.codes if kept else voice,
                prompt_text=kept.text if kept else prompt_text,
                mode="continuation" if kept else mode,
                language=language,
                num_quantizers=depth,
            )
            own = (first + number) % SEEDS
            if chooser is None:
                return self._stream(request, depth, sampling, own, max_seconds)
            (speech,) = chooser.speak(
                self,
                [request],
                [piece],
                num_quantizers=depth,
                sampling=sampling,
                seeds=[own],
                max_seconds=max_seconds,
            )
            return WholeSpeech(speech)

        return Narration(
            pieces(text, max_length),
            say,
            keep_voice=voice is None,
            silence=silence(self.tokenizer.channels, pause, self.sample_rate),
            least_frames=math.ceil(SHORTEST * self.tokenizer.frame_rate),
        )

    def depth(self, num_quantizers: int | None) -> int:
        """How many codebooks are in use. Raises ValueError if the model has fewer."""
        if num_quantizers is None:
            return self.default_quantizers
        return check_quantizers(num_quantizers, self.num_quantizers)

    def _stream(
        self,
        request: Request,
        depth: int,
        sampling: SamplingConfig | None,
        seed: int | None,
        max_seconds: float,
    ) -> SpeechStream:
        frames = generate_frames(
            self.model,
            [request.rows],
            num_quantizers=depth,
            sampling=sampling or self.sampling,
            max_frames=self._frames(max_seconds),
            seeds=None if seed is None else [seed],
            without_text=[request.without_text],
        )
        return SpeechStream(frames, self.tokenizer, request.prefix[:depth])

    def _frames(self, seconds: float) -> int:
        check_number("max_seconds", seconds, above=0)
        return math.ceil(seconds * self.tokenizer.frame_rate)
