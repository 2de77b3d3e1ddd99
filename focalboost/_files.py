"""Files that are there whole or not at all."""

import os
import secrets
from pathlib import Path
from typing import Any

__all__ = ["write_in_one_step"]


def write_in_one_step(path: Any, content: bytes) -> None:
    """Write a file so that there is the old one or the new one, and never a part.

    A link stays, and what it points to is written.
    """
    target = Path(os.path.realpath(path))
    # With the permissions of a new file, which those of the tempfile module have not.
    beside = target.with_name(f".{target.name}-{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
