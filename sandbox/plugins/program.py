"""Run one Pulumi program: the language host starts this process for each `up` or `preview`.

It runs by path with the program's own interpreter, so it imports only the standard library and that interpreter's
`pulumi`. The engine's RunRequest comes on standard input; the engine's address is the argument. The exit code is 0 on
success, 32 when the error has been shown, 130 when interrupted.
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
    """Format an exception, from the first frame in the program's directory on."""
    frames = traceback.extract_tb(error.__traceback__)
    files = [Path(frame.filename) for frame in frames]
    # "<frozen runpy>" and the like are not files, but would resolve to a path in the working directory.
    own = (i for i, file in enumerate(files) if file.is_file() and file.resolve().is_relative_to(directory))
    first = next(own, 0)
    return "".join(traceback.format_exception(error, limit=first - len(frames)))


def run(serialized: bytes, *, engine: str) -> int:
    """Run the program in the RunRequest and return this process' exit code."""
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
    # Failed resources leave futures that nobody awaits; asyncio would report each on stderr.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    sys.argv = [str(program), *request.args]
    # Four threads per parallel operation, as in the official executor: each RPC blocks a thread.
    executor = ThreadPoolExecutor(max_workers=parallel * 4)
    loop.set_default_executor(executor)

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
        # When an update fails or is cancelled, the engine shows the reason and closes its side first.
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            pulumi.log.error(f"The engine refused a request of the program: {error.details()}")
    except Exception as error:
        text = _user_traceback(error, directory=main.parent.resolve())
        pulumi.log.error(f"Program failed with an unhandled exception:\n{text}")
    finally:
        # As the official executor does: an interrupt is still handled here.
        executor.shutdown(wait=True)
    return _SHOWN


if __name__ == "__main__":
    # Handle SIGTERM like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Imports create hundreds of thousands of lasting objects. With the default threshold, 700, collecting garbage takes
    # a tenth of the time.
    gc.set_threshold(50_000)
    try:
        code = run(sys.stdin.buffer.read(), engine=sys.argv[1])
        sys.stdout.flush()
    except KeyboardInterrupt:
        # Do not wait for threads that wait for an engine that is shutting down.
        os._exit(_INTERRUPTED)
    # Skip the last garbage collection, which takes half a second: the process ends anyway.
    gc.freeze()
    sys.exit(code)
