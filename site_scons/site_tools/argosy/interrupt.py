"""Ctrl-C: SCons waits for running actions to end; this ends the commands that they wait for.

SCons handles the signal in its main thread and raises nothing, and compilers run in process groups of their own, so
neither learns of it. Python's wake-up descriptor tells of every signal without taking it from SCons.
"""

import os
import signal
import threading

from argosy import process

_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_watching = []


def watch():
    """Begin to watch, once."""
    if _watching or threading.current_thread() is not threading.main_thread():
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread = threading.Thread(target=_wait, args=(reader,), daemon=True)
    thread.start()
    _watching.append(thread)


def _wait(reader):
    while numbers := os.read(reader, 64):
        if _ENDING.intersection(numbers):
            process.interrupt()
