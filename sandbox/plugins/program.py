"""Run one Pulumi program: the process that the language host starts for each `up` or `preview`.

Run by path, under the program's own interpreter, so it imports nothing but the standard library and
the `pulumi` of that interpreter. The engine's RunRequest comes on standard input as one JSON object,
with `engine_address` beside its own fields. The exit code is 0 when the program ended well, 32 when
its error has been shown, 130 when it was interrupted.
"""

import asyncio
import gc
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SHOWN = 32
INTERRUPTED = 130


def user_traceback(error: BaseException, *, directory: Path) -> str:
    """Format an exception without the frames above the first one that lies in the program's directory."""
    frames = traceback.extract_tb(error.__traceback__)
    files = [Path(frame.filename) for frame in frames]
    # "<frozen runpy>" and the like are no files, though they would resolve to one in the working directory.
    own = (i for i, file in enumerate(files) if file.is_file() and file.resolve().is_relative_to(directory))
    first = next(own, 0)
    return "".join(traceback.format_exception(error, limit=first - len(frames)))


def run(request: dict[str, Any]) -> int:
    """Run the program that the request names; the result is this process' exit code."""
    try:
        import grpc
        import pulumi
        import pulumi.runtime
    except ImportError:
        traceback.print_exc()
        print(
            f"The Pulumi SDK cannot be imported by {sys.executable}: install the program's requirements.txt "
            "into that environment (`pulumi install`).",
            file=sys.stderr,
        )
        return SHOWN

    parallel = max(int(request.get("parallel", 1)), 1)
    pulumi.runtime.set_all_config(request.get("config", {}), request.get("configSecretKeys", []))
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=request["monitor_address"],
            engine=request["engine_address"],
            project=request["project"],
            stack=request["stack"],
            organization=request.get("organization") or "organization",
            root_directory=request["info"]["root_directory"],
            parallel=parallel,
            dry_run=request.get("dryRun", False),
        )
    )

    program = Path(request["info"]["program_directory"], request["info"].get("entry_point", "."))
    main = program / "__main__.py" if program.is_dir() else program
    if not main.exists():
        pulumi.log.error(f"The program has no {main}: a Python program is a directory with a __main__.py.")
        return SHOWN

    # Faulted resources leave futures that nobody awaits; asyncio would report each one on stderr.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Four threads for each parallel operation, as in the official executor: RPCs block a thread each.
    executor = ThreadPoolExecutor(max_workers=parallel * 4)
    loop.set_default_executor(executor)

    def body() -> None:
        runpy.run_path(str(program), run_name="__main__")

    sys.argv = [str(program), *request.get("args", [])]
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(body))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return SHOWN
    except grpc.RpcError as error:
        # The engine closes its side first when an update fails or is cancelled, and has said why.
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            pulumi.log.error(f"The engine refused a request of the program: {error.details()}")
        return SHOWN
    except Exception as error:
        text = user_traceback(error, directory=main.parent.resolve())
        pulumi.log.error(f"Program failed with an unhandled exception:\n{text}")
        return SHOWN
    finally:
        executor.shutdown(wait=True)
        loop.close()
    return 0


if __name__ == "__main__":
    # A program imports hundreds of thousands of objects to keep: with Python's own threshold the collector goes through
    # them every 700 of them, which is a tenth of the time.
    gc.set_threshold(50_000)
    # Python puts this file's directory first; the program must not find its neighbours there.
    del sys.path[0]
    try:
        code = run(json.load(sys.stdin))
        sys.stdout.flush()
    except KeyboardInterrupt:
        # Threads may still wait for an engine that is shutting down.
        os._exit(INTERRUPTED)
    # The collector would go once more through all that the program has imported, for half a second, to give back what
    # the end of the process gives back anyway.
    gc.freeze()
    sys.exit(code)
