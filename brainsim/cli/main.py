"""The command ``brainsim``: its verbs and options, and how errors reach the user.

Verbs import the engine inside, so that ``brainsim --help`` answers at once. A verb here only returns the job it
names: the job runs after typer is done, which otherwise swallows Ctrl-C and broken pipes in its own way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from brainsim.errors import BrainsimError, SetupError

#: Exit codes beside those of the errors (1 run failed, 2 user error, 3 environment): the shell's 128 + signal.
_INTERRUPTED, _BROKEN_PIPE = 130, 141

Job = Callable[[], None]

app = typer.Typer(
    name="brainsim",
    help="Declare a brain in YAML, check it, run it, look at what it did.",
    epilog="EXPERIMENT is a path to a YAML file or the name of a shipped experiment (brainsim list experiment).",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Experiment = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Path to a YAML file, or name of a shipped one.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override one value; may be repeated.")
]
Over = Annotated[
    list[str] | None,
    typer.Option("--over", metavar="PATH=A,B,...", help="Values to try, beside those of the file; may be repeated."),
]
Libraries = Annotated[
    list[Path] | None, typer.Option("--library", metavar="DIR", help="Folder with your own parts; may be repeated.")
]


def _version(wanted: bool) -> None:
    if wanted:
        import brainsim

        typer.echo(f"brainsim {brainsim.__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; allowed before and after a verb.")] = False,
) -> None:
    """Declare a brain in YAML, check it, run it, look at what it did."""


@app.command()
def run(
    experiment: Experiment,
    set_: Set = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.")] = None,
    backend: Annotated[
        str | None, typer.Option(metavar="NAME", help="auto, numpy, cython, cpp_standalone or native.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=64, help="Threads of the native backend.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Run folder, instead of runs/NAME-DATE.")] = None,
    library: Libraries = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.html.")] = False,
    raster: Annotated[bool, typer.Option("--raster", help="Print the recorded spikes as characters.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="EXPERIMENT is the folder of a run that was stopped: go on there.")
    ] = False,
) -> Job:
    """Run an experiment and write its run folder."""
    from brainsim.cli import run as verb

    sets = [*(set_ or []), *([] if threads is None else [f"run.threads={threads}"])]
    return partial(verb.run, experiment, sets, seed, backend, out, library or [], not no_report, raster, resume)


@app.command()
def sweep(
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="An experiment, or the folder of a sweep to take up again.")
    ],
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over", metavar="PATH=A,B,...", help="Values to try, beside those of the file; may be repeated."
        ),
    ] = None,
    set_: Set = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Runs at a time; as many as cores if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder, instead of runs/NAME-sweep-DATE.")] = None,
    library: Libraries = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help='Further column, as "rate_hz[exc]@last 5 s"; may be repeated.'),
    ] = None,
) -> Job:
    """Run an experiment at every point of its sweep and write one table."""
    from brainsim.cli import sweep as verb

    return partial(verb.sweep, experiment, over or [], set_ or [], jobs, out, library or [], measure or [])


@app.command()
def estimate(
    experiment: Experiment,
    over: Over = None,
    set_: Set = None,
    probe: Annotated[bool, typer.Option("--probe", help="Run a short piece, a few seconds, to know the time.")] = False,
    library: Libraries = None,
) -> Job:
    """Say what a run or a sweep would take: sizes, memory, disk, time."""
    from brainsim.cli import sweep as verb

    return partial(verb.estimate, experiment, over or [], set_ or [], probe, library or [])


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML files of any kind, or experiment names.")],
    set_: Set = None,
    library: Libraries = None,
) -> Job:
    """Say everything that is wrong with a file, without running it."""
    from brainsim.cli import browse as verb

    return partial(verb.check, files, set_ or [], library or [])


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment or a part, by path or by name.")],
    script: Annotated[bool, typer.Option("--script", help="The plain Brian2 script of an experiment.")] = False,
    equations: Annotated[
        bool, typer.Option("--equations", help="Final equations of every population and projection.")
    ] = False,
    graph: Annotated[bool, typer.Option("--graph", help="Populations and projections.")] = False,
    why: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where the value at a dotted path comes from.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to a file instead; .svg, .png or .html draws what the part does."),
    ] = None,
    set_: Set = None,
    library: Libraries = None,
) -> Job:
    """Show what an experiment or a part is made of, or draw what a part does."""
    from brainsim.cli import show as verb

    return partial(verb.show, name, script, equations, graph, why, out, set_ or [], library or [])


@app.command("list")
def list_(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND] [WORD]...", help="Only parts in which every word occurs.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="neuron, synapse, plasticity, region or experiment.")
    ] = None,
    library: Libraries = None,
) -> Job:
    """List the parts of the library: name, after < its parent, and what it is."""
    from brainsim.cli import browse as verb

    return partial(verb.list_parts, words or [], kind, library or [])


@app.command()
def cite(experiment: Experiment, library: Libraries = None) -> Job:
    """Print the bibliography of an experiment."""
    from brainsim.cli import browse as verb

    return partial(verb.cite, experiment, library or [])


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A run folder.")],
    raster: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the raster, as PNG.")] = None,
) -> Job:
    """Write report.html of a run folder again."""
    from brainsim.cli import run as verb

    return partial(verb.report, folder, raster)


@app.command()
def doctor() -> Job:
    """Show versions, compiler, cache and backends, and what is missing."""
    from brainsim.cli import machine as verb

    return verb.doctor


@app.command()
def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> Job:
    """Empty the cache of compiled networks."""
    from brainsim.cli import machine as verb

    return partial(verb.clean, dry_run)


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="neuron, synapse, plasticity, region or experiment.")],
) -> Job:
    """Print the JSON Schema of a kind of file, for editors."""
    from brainsim.cli import browse as verb

    return partial(verb.print_schema, kind)


def _usage(error: Exception) -> int:
    """Typer's own errors (unknown verb, missing argument), in our words and colours."""
    from brainsim.cli.console import tell

    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if message:
        tell(f"error[usage]: {message}", style="red")
    context = getattr(error, "ctx", None)
    tell(f"    See {context.command_path if context else 'brainsim'} --help.")
    return int(getattr(error, "exit_code", 2))


def _attempt(arguments: list[str], debug: bool) -> int:
    """Run one command line; the exit code."""
    try:
        job = app(arguments, prog_name="brainsim", standalone_mode=False)
        if job == _INTERRUPTED:  # while a verb was imported: typer has caught it
            raise KeyboardInterrupt
        if not callable(job):  # --help, --version: typer's exit code
            return int(job or 0)
        job()
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python must not complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        from brainsim.cli.console import tell

        tell("Interrupted.")
        return _INTERRUPTED
    except BrainsimError as error:
        from brainsim.cli.console import show_error

        if debug:
            import traceback

            traceback.print_exc()
        show_error(error)
        return error.exit_code
    except MemoryError as error:
        from brainsim.cli.console import tell

        if debug:
            raise
        tell(f"error[memory]: there is not enough memory. {error}".rstrip(), style="red")
        return SetupError.exit_code
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            return _usage(error)
        if debug:
            raise
        from brainsim.cli.console import tell

        words = str(error).strip().splitlines()
        what = type(error).__name__ + (f": {words[0][:200]}" if words else "")
        tell(f"error[bug]: {what}. This is a bug in brainsim, not in your file.", style="red")
        tell("    Run the command again with --debug for the traceback, and please report it.")
        return 1


def main() -> NoReturn:
    """Entry point of the console script."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    if debug:  # the same before and after the verb
        arguments = [argument for argument in arguments if argument != "--debug"]
    sys.exit(_attempt(arguments, debug))
