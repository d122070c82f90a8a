"""Word and character error rates of a recogniser's transcript of the output.

Two references: the true text, where it is known, and what the same recogniser makes of the original
(`..._original`), which takes the recogniser's own mistakes out. Rates are percent of one recording;
with them come the counts, so that errors and words can be added up over a corpus before dividing.
"""

from catok.audio import mix
from catok.evaluation.edit_distance import count_edits
from catok.evaluation.metrics.base import Column, ReferenceCache
from catok.evaluation.preprocessing import check_not_silent
from catok.evaluation.sample import Sample
from catok.evaluation.text_units import normalize_text, split_characters, split_words
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
        self._references = ReferenceCache[str]()

    def __call__(self, sample: Sample) -> dict[str, float | str]:
        """Without a true text, or words recognized in the original, those columns are missing.

        Raises ValueError when neither is there, or when the transcriber refuses the audio.
        """
        language = sample.language or self.language
        original = self._references.get(
            (sample.reference_sha1, language),
            lambda: self._transcribe(sample, "reference", language),
        )
        references = {
            "": normalize_text(sample.text or "", language),
            "_original": normalize_text(original, language),
        }
        if not any(references.values()):
            raise ValueError(
                "there is no text, and no words are recognised in the original: "
                "leave word errors out"
            )
        hypothesis = self._transcribe(sample, "output", language)
        transcript = normalize_text(hypothesis, language)
        figures: dict[str, float | str] = {"hypothesis": hypothesis}
        for suffix, reference in references.items():
            if reference:
                figures |= error_rates(reference, transcript, suffix)
        return figures

    def _transcribe(self, sample: Sample, which: str, language: str | None) -> str:
        audio = mix(getattr(sample, which), 1)[0].detach().float().cpu().numpy()
        check_not_silent(audio, which)
        return self.transcriber.transcribe(audio, sample.sample_rate, language)


def error_rates(reference: str, hypothesis: str, suffix: str = "") -> dict[str, float]:
    """The six figures of two normalised texts, of which `reference` is not empty."""
    by_word = count_edits(split_words(reference), split_words(hypothesis))
    by_character = count_edits(split_characters(reference), split_characters(hypothesis))
    return {
        f"wer{suffix}": 100 * by_word.rate,
        f"cer{suffix}": 100 * by_character.rate,
        f"word_errors{suffix}": by_word.total,
        f"words{suffix}": by_word.reference,
        f"char_errors{suffix}": by_character.total,
        f"chars{suffix}": by_character.reference,
    }
