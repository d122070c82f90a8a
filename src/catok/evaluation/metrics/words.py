"""Are the words still there? Word and character error rates of what a recogniser hears.

Two references: the true text, where it is known, and what the same recogniser makes of the original
(`..._original`), which takes the recogniser's own mistakes out. Rates are percent of one recording;
with them come the counts, so that errors and words can be added up over a corpus before dividing.
"""

from catok.audio import mix
from catok.evaluation.metrics.alignment import count_errors
from catok.evaluation.metrics.base import Column
from catok.evaluation.metrics.normalise import characters, normalise, words
from catok.evaluation.metrics.originals import Originals
from catok.evaluation.metrics.signals import refuse_silence
from catok.evaluation.sample import Sample
from catok.evaluation.transcribers.base import Transcriber


def _columns(suffix: str, against: str) -> tuple[Column, ...]:
    return (
        Column(f"wer{suffix}", f"WER{against}", "lower", "%", 2),
        Column(f"cer{suffix}", f"CER{against}", "lower", "%", 2),
        Column(f"word_errors{suffix}", f"word errors{against}", "neither", digits=0),
        Column(f"words{suffix}", f"words{against}", "neither", digits=0),
        Column(f"char_errors{suffix}", f"character errors{against}", "neither", digits=0),
        Column(f"chars{suffix}", f"characters{against}", "neither", digits=0),
    )


class WordErrors:
    """WER and CER, and what was recognised. The last originals' transcripts are kept, by their
    samples.

    `language`: of samples that do not say theirs.
    """

    speech_only = True
    columns = (
        *_columns("", ""),
        *_columns("_original", " to original"),
        Column("hypothesis", "recognised", "neither", kind="text"),
    )

    def __init__(self, transcriber: Transcriber, language: str | None = None) -> None:
        self.transcriber = transcriber
        self.language = language
        self._originals = Originals[str]()

    def __call__(self, sample: Sample) -> dict[str, float | str]:
        """Without a true text, or without words heard in the original, those columns are missing.

        Raises ValueError when neither is there, or when the transcriber refuses the audio.
        """
        language = sample.language or self.language
        original = self._originals.get(
            (sample.reference_sha1, language), lambda: self._hear(sample, "reference", language)
        )
        references = {
            "": normalise(sample.text or "", language),
            "_original": normalise(original, language),
        }
        if not any(references.values()):
            raise ValueError(
                "there is no text, and no words are heard in the original: leave word errors out"
            )
        hypothesis = self._hear(sample, "output", language)
        heard = normalise(hypothesis, language)
        figures: dict[str, float | str] = {"hypothesis": hypothesis}
        for suffix, reference in references.items():
            if reference:
                figures |= error_figures(reference, heard, suffix)
        return figures

    def _hear(self, sample: Sample, which: str, language: str | None) -> str:
        audio = mix(getattr(sample, which), 1)[0].detach().float().cpu().numpy()
        refuse_silence(audio, which)
        return self.transcriber.transcribe(audio, sample.sample_rate, language)


def error_figures(reference: str, heard: str, suffix: str = "") -> dict[str, float]:
    """The six figures of two normalised texts, of which `reference` is not empty."""
    by_word = count_errors(words(reference), words(heard))
    by_character = count_errors(characters(reference), characters(heard))
    return {
        f"wer{suffix}": 100 * by_word.rate,
        f"cer{suffix}": 100 * by_character.rate,
        f"word_errors{suffix}": by_word.total,
        f"words{suffix}": by_word.reference,
        f"char_errors{suffix}": by_character.total,
        f"chars{suffix}": by_character.reference,
    }
