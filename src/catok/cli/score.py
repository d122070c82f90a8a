"""`catok score`: judge speech synthesis and speech recognition, or hand over to VERSA."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import arg, subcommand

from catok.cli import versa
from catok.cli.arguments import RECOGNISERS, SPEAKERS, check_exists
from catok.cli.common import command
from catok.cli.terminal import complain, say, tell

if TYPE_CHECKING:
    from pathlib import Path

    from catok.evaluation.protocols.items import Prompted
    from catok.evaluation.protocols.resumed import Resumed
    from catok.evaluation.protocols.scored import Scored

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
        tuple[Literal["speaker", "dnsmos", "utmos"], ...],
        arg(help="What else to measure: similarity to the prompt's voice, and naturalness."),
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
    """Judge a speech synthesis: WER (Chinese: CER) of what a recogniser hears, and similarity of
    the voice to the prompt's. The summary is printed on stdout.
    """
    from pathlib import Path

    check_exists(list)
    check_exists(audio)

    from catok.evaluation.metrics.registry import MetricOptions, build_metrics
    from catok.evaluation.metrics.speaker import DEFAULT_EMBEDDER
    from catok.evaluation.protocols.resumed import Resumed
    from catok.evaluation.protocols.seed_tts_eval import read_seed_tts_list
    from catok.evaluation.protocols.tts import from_folder, score_tts, speech_file
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

    def files(item: "Prompted") -> tuple[Path | None, Path]:
        return speech_file(audio, item), item.prompt_audio

    with folder_lock(out):
        run = Resumed(out, settings, items, files)
        transcriber = build_transcriber(asr)
        facts["recogniser"] = transcriber.name
        judges = build_metrics(metrics, MetricOptions(speaker=speaker, utmos=utmos))
        if "speaker" in metrics:
            facts["speaker model"] = short_path(speaker or DEFAULT_EMBEDDER)
        scored = score_tts(run.todo, from_folder(audio), transcriber, judges, TEXT_UNITS[words])
        outputs = (path for item in run.todo if (path := speech_file(audio, item)))
        return _finish(_followed(scored, run, outputs), facts, out, worst)


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
    """Judge a speech recogniser: WER (Chinese and the like: CER) with its kinds of errors, per
    language. The summary is printed on stdout.
    """
    from pathlib import Path

    from catok.cli.errors import UsageError

    if (hypotheses is None) == (asr is None):
        raise UsageError("give --hypotheses, or --asr to run a recogniser")
    check_exists(data)
    if hypotheses is not None:
        check_exists(hypotheses)

    from catok.evaluation.protocols.asr import score_asr, score_hypotheses
    from catok.evaluation.protocols.hypotheses import read_hypotheses
    from catok.evaluation.protocols.resumed import Resumed
    from catok.evaluation.protocols.transcribed import read_transcribed
    from catok.evaluation.results_folder import RUN, model_identity
    from catok.evaluation.run.provenance import short_path
    from catok.evaluation.text_units import TEXT_UNITS
    from catok.evaluation.transcribers import build_transcriber
    from catok.io.lock import folder_lock

    items, split = read_transcribed(data, language), TEXT_UNITS[words]
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
        run = Resumed(out, settings, items, lambda item: (item.audio,))
        transcriber = build_transcriber(asr)
        facts["recogniser"] = transcriber.name
        scored = score_asr(run.todo, transcriber, split)
        rows = _followed(scored, run, (item.audio for item in run.todo))
        return _finish(rows, facts, out, worst)


def _followed(
    scored: Iterable["Scored"], run: "Resumed[Any]", audio: Iterable["Path"]
) -> list["Scored"]:
    """All rows of the run, once those of `scored` are added; `audio` is what they hear."""
    from catok.cli.progress import Progress

    kept = len(run.rows)
    if kept:
        say(f"catok: {kept} of {kept + len(run.todo)} are there already")
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


def _finish(rows: list["Scored"], facts: dict[str, Any], out: str, worst: int) -> int:
    from catok import __version__
    from catok.evaluation.protocols.results import summary_table, write_results

    where = write_results(out, rows, facts | {"catok": __version__}, worst)
    tell(summary_table(rows))
    lost = [row for row in rows if row.outcome != "scored"]
    if lost:
        first = f"{lost[0].id}: {lost[0].reason}"
        complain(f"catok: {len(lost)} of {len(rows)} are not scored, {first}")
    say(f"catok: all of it in {where.parent}")
    return 0


_Job = (
    Annotated[Any, subcommand("tts", constructor=tts)]
    | Annotated[Any, subcommand("asr", constructor=asr)]
    | Annotated[Any, subcommand("versa-export", constructor=versa.export)]
    | Annotated[Any, subcommand("versa-import", constructor=versa.read_back)]
)


def run(job: Annotated[_Job, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes]) -> int:
    """Judge a speech synthesis or a recogniser, or use the VERSA toolkit."""
    return job
