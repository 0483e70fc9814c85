"""Run one Pulumi program: the process that the language host starts for each `up` or `preview`.

Run by path, under the program's own interpreter, so it imports nothing but the standard library and the `pulumi` of
that interpreter. The engine's RunRequest comes on standard input; the engine's address is the argument. The exit code
is 0 when the program ended well, 32 when its error has been shown, 130 when it was interrupted.
"""

import asyncio
import gc
import logging
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_SHOWN = 32
_INTERRUPTED = 130


def _user_traceback(error: BaseException, *, directory: Path) -> str:
    """Format an exception without the frames above the first one that lies in the program's directory."""
    frames = traceback.extract_tb(error.__traceback__)
    files = [Path(frame.filename) for frame in frames]
    # "<frozen runpy>" and the like are no files, though they would resolve to one in the working directory.
    own = (i for i, file in enumerate(files) if file.is_file() and file.resolve().is_relative_to(directory))
    first = next(own, 0)
    return "".join(traceback.format_exception(error, limit=first - len(frames)))


def run(serialized: bytes, *, engine: str) -> int:
    """Run the program that the RunRequest names; the result is this process' exit code."""
    try:
        import grpc
        import pulumi
        from pulumi.runtime.proto import language_pb2
    except ImportError as error:
        sys.exit(f"The Pulumi SDK cannot be imported by {sys.executable} ({error}); `pulumi install` installs it.")

    request = language_pb2.RunRequest.FromString(serialized)
    program = Path(request.info.program_directory, request.info.entry_point)
    main = program / "__main__.py" if program.is_dir() else program
    parallel = max(request.parallel, 1)
    pulumi.runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=request.monitor_address,
            engine=engine,
            project=request.project,
            stack=request.stack,
            organization=request.organization or "organization",
            root_directory=request.info.root_directory,
            parallel=parallel,
            dry_run=request.dryRun,
        )
    )
    # Faulted resources leave futures that nobody awaits; asyncio would report each one on stderr.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    sys.argv = [str(program), *request.args]
    # Four threads for each parallel operation, as in the official executor: RPCs block a thread each.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=parallel * 4))

    def body() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        if not main.exists():
            raise pulumi.RunError(f"The program has no {main}: a Python program is a directory with a __main__.py.")
        loop.run_until_complete(pulumi.runtime.run_in_stack(body))
        return 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except grpc.RpcError as error:
        # The engine closes its side first when an update fails or is cancelled, and has said why.
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            pulumi.log.error(f"The engine refused a request of the program: {error.details()}")
    except Exception as error:
        text = _user_traceback(error, directory=main.parent.resolve())
        pulumi.log.error(f"Program failed with an unhandled exception:\n{text}")
    return _SHOWN


if __name__ == "__main__":
    # Told to end, it ends as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A program imports hundreds of thousands of objects to keep: with Python's own threshold the collector goes through
    # them every 700 of them, which is a tenth of the time.
    gc.set_threshold(50_000)
    try:
        code = run(sys.stdin.buffer.read(), engine=sys.argv[1])
        sys.stdout.flush()
    except KeyboardInterrupt:
        # Threads may still wait for an engine that is shutting down.
        os._exit(_INTERRUPTED)
    # The collector would go once more through all that the program has imported, for half a second, to give back what
    # the end of the process gives back anyway.
    gc.freeze()
    sys.exit(code)
