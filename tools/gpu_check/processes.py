"""Commands with a time limit that ends all of what they started, and whose output is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Done:
    command: list[str]
    code: int  # -1: it ran out of time
    seconds: float
    output: str  # both streams, the end of it where it is long

    @property
    def is_late(self) -> bool:
        return self.code == -1


def run(command, seconds: float, environment: dict[str, str] | None = None, keep: int = 200_000) -> Done:
    """Runs in a session of its own, so that a late one is ended with its children."""
    command = [str(part) for part in command]
    began = time.monotonic()
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                   env={**os.environ, **(environment or {})}, start_new_session=True)
    except OSError as error:
        return Done(command, 127, 0.0, str(error))
    try:
        output, _ = process.communicate(timeout=max(seconds, 0.1))
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        code = -1
    return Done(command, code, round(time.monotonic() - began, 1), output[-keep:])
