"""Runs pyinfra with the arguments that follow the first, and stands still once an operation named like that has ended.

What a test does to the run then happens between this operation and the next one, however slow the machine is.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from pyinfra.api import BaseStateCallback, State
from pyinfra_cli.main import main

name = sys.argv.pop(1)
original: Any = State.init


class Still(BaseStateCallback):
    @staticmethod
    def operation_end(state: State, op_hash: str) -> None:
        if name in state.get_op_meta(op_hash).names:
            os.kill(os.getpid(), signal.SIGSTOP)


def init(state: State, *arguments: Any, **options: Any) -> None:
    original(state, *arguments, **options)
    state.add_callback_handler(Still())  # type: ignore[no-untyped-call]


State.init = init  # type: ignore[method-assign,assignment]
main()
