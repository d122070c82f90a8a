"""`catok tokens`: what to do with shards of codes: verify, convert, stats, push."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, Positional, arg, subcommand

from catok.cli import arguments as shared
from catok.cli.common import command
from catok.cli.errors import UsageError
from catok.cli.tokenize import FormatName

_NO_DEFAULT = ""
Folder = Annotated[
    Positional[str],
    arg(metavar="FOLDER", help="A folder of shards, or its URL.", help_behavior_hint=_NO_DEFAULT),
]


@dataclass(frozen=True)
class Verify:
    """Encode some recordings again and compare; the exit code is 1 if codes differ.

    With --decode, write some recordings of the shards as WAV, to listen to.
    """

    folder: Folder
    inputs: Annotated[
        Positional[tuple[str, ...]],
        arg(
            metavar="INPUT...",
            help="What the shards were made of; none: nothing is encoded again.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = ()
    model: Annotated[
        str | None,
        arg(metavar="M", help="Of the codes.", help_behavior_hint="(default: as the shards say)"),
    ] = None
    device: shared.Device = "auto"
    samples: Annotated[int, arg(metavar="N", help="Recordings to encode again.")] = 20
    decode: Annotated[int, arg(metavar="N", help="Recordings to write as WAV.")] = 0
    out: Annotated[
        str | None,
        arg(
            aliases=["-o"],
            metavar="OUT",
            help="The folder of the WAV files.",
            help_behavior_hint="(default: FOLDER/decoded)",
        ),
    ] = None
    seed: Annotated[int, arg(metavar="N", help="Of the draw.")] = 0

    def run(self) -> int:
        """Returns the exit code."""
        from pathlib import Path

        from catok.audio import save_audio
        from catok.cli.folders import make_folder
        from catok.cli.loading import load_model
        from catok.cli.terminal import print_error, print_note, print_result
        from catok.corpus import sample_rows, verify
        from catok.corpus.ledger import TokenFolder
        from catok.corpus.verification import check_tokenizer, encoded_row
        from catok.io.remote import is_url

        shared.check_count("--samples", self.samples)
        folder = TokenFolder.open(self.folder)
        space = folder.settings.space
        dtype: shared.DtypeName = space.dtype  # type: ignore[assignment]
        part = "all" if self.decode else "encoder"
        tok = load_model(self.model or space.model, self.device, dtype, part=part)
        check_tokenizer(tok, space, self.folder)
        wrong = 0
        if self.inputs:
            results = verify(tok, self.folder, self.inputs, samples=self.samples, seed=self.seed)
            for item in results:
                if item.agreeing < 1:
                    wrong += 1
                    print_error(f"catok: {item.id}: {item.error or f'{item.agreeing:.2%} agree'}")
            print_result(f"{len(results) - wrong} of {len(results)} recordings have the same codes")
        if self.decode:
            if self.out is None and is_url(self.folder):
                raise UsageError("name a folder of this machine for the recordings: --out")
            place = Path(self.out or Path(self.folder, "decoded"))
            make_folder(place)
            chosen = list(sample_rows(folder, self.decode, self.seed))
            for number, row in enumerate(chosen):
                audio = tok.decode(encoded_row(row, space))
                target = place / f"{number:03d}-{Path(row.id).name}.wav"
                save_audio(target, audio[0], tok.sample_rate)
            print_note(f"catok: wrote {len(chosen)} recordings to {place}")
        return 1 if wrong else 0


@dataclass(frozen=True)
class Convert:
    """Write the same shards in another format; one that was stopped goes on."""

    folder: Folder
    out: Annotated[str, arg(aliases=["-o"], metavar="OUT", help="Another folder.")]
    format: Annotated[FormatName, arg(help="Of the new shards.")] = "parquet"

    def run(self) -> int:
        """Returns the exit code."""
        from catok.cli.terminal import print_note
        from catok.corpus import convert

        count = convert(self.folder, self.out, self.format)
        print_note(f"catok: {count} shards of {self.format} in {self.out}")
        return 0


@dataclass(frozen=True)
class Stats:
    """Print what a folder holds: hours, bytes, failures, codes in use."""

    folder: Folder
    histogram: Annotated[
        str | None,
        arg(
            metavar="PNG",
            help="Where a histogram of durations goes.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None

    def run(self) -> int:
        """Returns the exit code."""
        from catok.cli.terminal import print_note, print_result
        from catok.corpus import save_histogram, token_stats

        stats = token_stats(self.folder)
        space = stats.space
        books = f"{space.num_quantizers} of {space.codebook_size} codes"
        lines = {
            "model": f"{space.model} (weights {space.weight_hash}, {space.dtype})",
            "codebooks": f"{books}, {space.frame_rate:g} frames per second",
            "recordings": f"{stats.rows}, {stats.hours:.2f} h",
            "failures": str(stats.failures),
            "silent, at full scale": f"{stats.silent}, {stats.clipped}",
            "bytes": f"{stats.bytes} ({stats.bytes_per_hour / 1e6:.2f} MB per hour)",
            "perplexity by codebook": " ".join(f"{value:.0f}" for value in stats.perplexity),
        }
        if stats.rows:
            low, middle, high = (
                float(sorted(stats.seconds)[int(share * (stats.rows - 1))]) for share in (0, 0.5, 1)
            )
            lines["seconds"] = f"{low:.2f} to {high:.2f}, median {middle:.2f}"
        print_result("\n".join(f"{name}\t{value}" for name, value in lines.items()))
        if self.histogram is not None:
            save_histogram(stats, self.histogram)
            print_note(f"catok: wrote {self.histogram}")
        return 0


@dataclass(frozen=True)
class Push:
    """Upload a folder to the Hugging Face hub as a data set, with a card."""

    folder: Folder
    repo: Annotated[Positional[str], arg(metavar="REPO", help="owner/name on the hub.")]
    private: Annotated[
        bool, arg(help="For members of the owner only.", help_behavior_hint=_NO_DEFAULT)
    ] = False

    def run(self) -> int:
        """Returns the exit code."""
        from catok.cli.terminal import print_result
        from catok.corpus import push_to_hub

        print_result(push_to_hub(self.folder, self.repo, private=self.private))
        return 0


@command
def run(
    action: Annotated[
        Annotated[Verify, subcommand("verify")]
        | Annotated[Convert, subcommand("convert")]
        | Annotated[Stats, subcommand("stats")]
        | Annotated[Push, subcommand("push")],
        OmitArgPrefixes,
        OmitSubcommandPrefixes,
        arg(name=""),
    ],
) -> int:
    """Verify, convert, measure or publish shards of codes (see `catok tokenize`)."""
    return action.run()
