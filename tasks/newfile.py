"""A file that is not there yet, whole or not at all."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from types import TracebackType

from pyinfra.api.exceptions import PyinfraError


class NewFile:
    """Make the file PATH with MODE; what goes wrong while it is written removes it again.

    Raises ``PyinfraError`` when there is such a file: it is somebody's, and never overwritten.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self.path, self.mode = path, mode

    def __enter__(self) -> FileIO:
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.mode)
        except FileExistsError:
            raise PyinfraError(
                f"{self.path} is there already, and is not overwritten; choose another --output"
            ) from None
        except OSError as error:
            raise PyinfraError(f"{self.path} cannot be written: {error.strerror}") from None
        self.file = FileIO(descriptor, "w")
        return self.file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
        if error is not None:
            self.path.unlink(missing_ok=True)
