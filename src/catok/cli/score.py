"""`catok score`: score speech synthesis and speech recognition, or hand over to VERSA."""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import arg, subcommand

from catok.cli import versa
from catok.cli.arguments import RECOGNISERS, SPEAKERS, check_exists
from catok.cli.common import command
from catok.cli.terminal import print_error, print_note, print_result

if TYPE_CHECKING:
    from pathlib import Path

    from catok.evaluation.protocols.items import TTSItem
    from catok.evaluation.protocols.resumable_run import ResumableRun
    from catok.evaluation.protocols.utterance_score import UtteranceScore

_NO_DEFAULT = ""

Out = Annotated[
    str,
    arg(
        aliases=["-o"],
        metavar="FOLDER",
        help="Where rows.jsonl, rows.csv and summary.json/csv/md go; an earlier run there goes on.",
    ),
]
Language = Annotated[
    str | None,
    arg(
        metavar="L",
        help="Language of utterances that state none, such as en or zh.",
        help_behavior_hint="(default: by folder or script)",
    ),
]
ASR = Annotated[
    str | None,
    arg(
        metavar="ASR",
        help=f"Recogniser: {RECOGNISERS}",
        help_behavior_hint="(default: tiny.en, or base where not all is English)",
    ),
]
TTS_METRICS = ("speaker", "dnsmos", "utmos")  # that need no recording of the same words
Words = Literal["standard", "seed-tts-eval"]
Worst = Annotated[int, arg(metavar="N", help="How many of the worst utterances to list.")]


@command
def tts(
    list: Annotated[
        str, arg(metavar="META", help="Seed-TTS-Eval's meta.lst: id|prompt text|prompt audio|text.")
    ],
    audio: Annotated[str, arg(metavar="FOLDER", help="Folder of the outputs, ID.wav or ID.flac.")],
    out: Out,
    language: Language = None,
    asr: ASR = None,
    metrics: Annotated[
        tuple[str, ...],
        arg(
            metavar="NAME...",
            help="What else to measure: speaker (similarity to the prompt's voice), dnsmos, utmos, "
            "or python=module:Class.",
        ),
    ] = ("speaker",),
    speaker: Annotated[
        str | None,
        arg(
            metavar="MODEL",
            help=f"Speaker model: {SPEAKERS}",
            help_behavior_hint="(default: microsoft/wavlm-base-plus-sv)",
        ),
    ] = None,
    utmos: Annotated[
        str | None, arg(metavar="FILE", help="TorchScript file.", help_behavior_hint=_NO_DEFAULT)
    ] = None,
    words: Annotated[Words, arg(help="How texts are prepared for comparison.")] = "seed-tts-eval",
    worst: Worst = 20,
) -> int:
    """Score a speech synthesis: WER (Chinese: CER) of a recogniser's transcripts, and similarity
    of the voice to the prompt's. The summary is printed on stdout.
    """
    from pathlib import Path

    from catok.cli.errors import UsageError

    check_exists(list)
    check_exists(audio)

    from catok.evaluation.metrics.registry import PYTHON, MetricOptions, build_metrics
    from catok.evaluation.metrics.speaker import DEFAULT_EMBEDDER
    from catok.evaluation.protocols.resumable_run import ResumableRun
    from catok.evaluation.protocols.seed_tts_eval import read_seed_tts_list
    from catok.evaluation.protocols.tts import score_tts, speech_file, speech_from_folder
    from catok.evaluation.results_folder import model_identity
    from catok.evaluation.run.provenance import short_path
    from catok.evaluation.text_units import TEXT_UNITS
    from catok.evaluation.transcribers import build_transcriber
    from catok.io.lock import folder_lock

    items = read_seed_tts_list(list, language)
    if not any(speech_file(audio, item) for item in items):
        raise ValueError(f"{audio} holds no output for {list}: name them {items[0].id}.wav and so")
    if asr is None:
        asr = "tiny.en" if all(item.language == "en" for item in items) else "base"
    unsuitable = [
        name for name in metrics if name not in TTS_METRICS and not name.startswith(PYTHON)
    ]
    if unsuitable:
        raise UsageError(
            f"{' '.join(unsuitable)}: choose metrics from {', '.join(TTS_METRICS)} or write "
            "python=module:Class"
        )
    settings = {
        "list": str(Path(list).resolve()),
        "audio": str(Path(audio).resolve()),
        "recogniser": model_identity(asr),
        "metrics": metrics,
        "speaker model": speaker and model_identity(speaker),
        "utmos": utmos and model_identity(utmos),
        "words": words,
    }
    facts = {"list": short_path(list), "audio": short_path(audio), "words": words}

    def files(item: "TTSItem") -> tuple[Path | None, Path]:
        return speech_file(audio, item), item.prompt_audio

    with folder_lock(out):
        run = ResumableRun(out, settings, items, files)
        transcriber = build_transcriber(asr)
        facts["recogniser"] = transcriber.name
        built_metrics = build_metrics(metrics, MetricOptions(speaker=speaker, utmos=utmos))
        if "speaker" in metrics:
            facts["speaker model"] = short_path(speaker or DEFAULT_EMBEDDER)
        scored = score_tts(
            run.pending, speech_from_folder(audio), transcriber, built_metrics, TEXT_UNITS[words]
        )
        outputs = (path for item in run.pending if (path := speech_file(audio, item)))
        return _finish(_score_pending(scored, run, outputs), facts, out, worst)


@command
def asr(
    data: Annotated[
        str,
        arg(
            metavar="DATA",
            help="What was said: a .jsonl manifest, or a folder: LibriSpeech, LJSpeech, AISHELL, "
            "Kaldi, or audio with .txt files.",
        ),
    ],
    out: Out,
    hypotheses: Annotated[
        str | None,
        arg(
            metavar="FILE",
            help="What was recognised: JSON lines with id and text, or lines of id and text.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    asr: Annotated[
        str | None,
        arg(
            metavar="ASR",
            help=f"Instead of --hypotheses, a recogniser to run: {RECOGNISERS}",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    language: Language = None,
    words: Annotated[Words, arg(help="How texts are prepared for comparison.")] = "standard",
    worst: Worst = 20,
) -> int:
    """Score a speech recogniser: WER (Chinese and the like: CER) with its kinds of errors, per
    language. The summary is printed on stdout.
    """
    from pathlib import Path

    from catok.cli.errors import UsageError

    if (hypotheses is None) == (asr is None):
        raise UsageError("give --hypotheses, or --asr to run a recogniser")
    check_exists(data)
    if hypotheses is not None:
        check_exists(hypotheses)

    from catok.evaluation.protocols.asr import read_hypotheses, score_asr, score_hypotheses
    from catok.evaluation.protocols.asr_data import read_asr_data
    from catok.evaluation.protocols.resumable_run import ResumableRun
    from catok.evaluation.results_folder import RUN, model_identity
    from catok.evaluation.run.provenance import short_path
    from catok.evaluation.text_units import TEXT_UNITS
    from catok.evaluation.transcribers import build_transcriber
    from catok.io.lock import folder_lock

    items, split = read_asr_data(data, language), TEXT_UNITS[words]
    facts = {"data": short_path(data), "words": words}
    if asr is None:
        assert hypotheses is not None
        if Path(out, RUN).exists():
            raise ValueError(
                f"{out} holds the results of a run: choose another --out, or delete that folder"
            )
        facts["hypotheses"] = short_path(hypotheses)
        rows = score_hypotheses(items, read_hypotheses(hypotheses), split)
        with folder_lock(out):
            return _finish(rows, facts, out, worst)
    settings = {
        "data": str(Path(data).resolve()),
        "recogniser": model_identity(asr),
        "words": words,
    }
    with folder_lock(out):
        run = ResumableRun(out, settings, items, lambda item: (item.audio,))
        transcriber = build_transcriber(asr)
        facts["recogniser"] = transcriber.name
        scored = score_asr(run.pending, transcriber, split)
        rows = _score_pending(scored, run, (item.audio for item in run.pending))
        return _finish(rows, facts, out, worst)


def _score_pending(
    scored: Iterable["UtteranceScore"], run: "ResumableRun[Any]", audio: Iterable["Path"]
) -> list["UtteranceScore"]:
    """All rows of the run, once those of `scored` are added; `audio`: their files, for progress."""
    from catok.cli.progress import Progress

    done = len(run.rows)
    if done:
        print_note(f"catok: {done} of {done + len(run.pending)} are there already")
    with Progress(lambda: _seconds(audio)) as progress:
        for row in scored:
            run.add(row)
            progress.advance(row.figures.get("seconds", 0.0))
    return run.rows


def _seconds(paths: Iterable[Any]) -> float:
    from catok.audio import audio_info

    total = 0.0
    for path in paths:
        try:
            total += audio_info(path).seconds
        except ValueError:
            continue  # its row will say why
    return total


def _finish(rows: list["UtteranceScore"], facts: dict[str, Any], out: str, worst: int) -> int:
    from catok import __version__
    from catok.evaluation.protocols.results import summary_table, write_results

    where = write_results(out, rows, facts | {"catok": __version__}, worst)
    print_result(summary_table(rows))
    not_scored = [row for row in rows if row.outcome != "scored"]
    if not_scored:
        first = f"{not_scored[0].id}: {not_scored[0].reason}"
        print_error(f"catok: {len(not_scored)} of {len(rows)} are not scored, {first}")
    print_note(f"catok: all of it in {where.parent}")
    return 1 if not_scored else 0


def _deferred(command: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """The command as a constructor that only takes the arguments: `run` calls what it returns."""

    @wraps(command)
    def bind(*args: Any, **options: Any) -> Callable[[], int]:
        return partial(command, *args, **options)

    return bind


_Job = (
    Annotated[Any, subcommand("tts", constructor=_deferred(tts))]
    | Annotated[Any, subcommand("asr", constructor=_deferred(asr))]
    | Annotated[Any, subcommand("versa-export", constructor=_deferred(versa.export))]
    | Annotated[Any, subcommand("versa-import", constructor=_deferred(versa.read_back))]
)


def run(job: Annotated[_Job, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes]) -> int:
    """Score a speech synthesis or a recogniser, or use the VERSA toolkit."""
    return job()
