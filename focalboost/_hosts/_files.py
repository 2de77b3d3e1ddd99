"""Writes files whole or not at all, and signs model files with a digest."""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
from pathlib import Path
from typing import Any

from focalboost._validation import reject

#: The name of the digest in a model file. It finds accidental damage; it does not prove
#: who wrote the file.
DIGEST = "focalboost_sha256"

#: The value that stands in the place of the digest when the digest is computed.
UNSIGNED = "0" * 64

#: The digest in JSON and in UBJSON (XGBoost), and in text (LightGBM).
_PLACE = re.compile(DIGEST.encode() + rb'(?:":"|SL\x00{7}@|=)(.{0,64})', re.DOTALL)

#: How the first files of LightGBM began a digest of another kind.
_OLD = f"{DIGEST}:".encode()


def write_in_one_step(path: Any, content: bytes | bytearray) -> None:
    """Write a file so that readers see the old content or the new, never a part.

    A symbolic link is kept, and the file that it points to is replaced. The new file
    gets the mode of the old one, and its owner where the system allows that. A device
    or a pipe cannot be replaced, so it is written to directly.
    """
    old = os.stat(path) if os.path.exists(path) else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        Path(path).write_bytes(content)
        return
    target = Path(os.path.realpath(path))
    # A short name: that of the target may be as long as the file system allows. The
    # tempfile module is not used because its files are readable by their owner only.
    beside = target.with_name(f".{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            if hasattr(os, "chown"):
                with contextlib.suppress(PermissionError):  # only root gives files away
                    os.chown(beside, old.st_uid, old.st_gid)
            shutil.copymode(target, beside)  # after chown, which clears bits
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def content_of(source: Any, name: str) -> bytearray:
    """The bytes of a file, or those given; a digest in them has to match."""
    given = source
    if not isinstance(source, bytes | bytearray):
        try:
            given = Path(source).read_bytes()
        except TypeError:
            advice = "Pass a str or a pathlib.Path, or where a model may stand one of "
            reject(name, "the path of a file", source, f"{advice}the same host.")
    content = bytearray(given)
    start = content.find(DIGEST.encode())
    if start < 0 or content.startswith(_OLD, start):
        return content
    place = _PLACE.match(content, start)
    if place is None or _digest_without(content, place.span(1)) != place[1]:
        reject(
            name,
            "a model file as focalboost has written it",
            source,
            "It has been edited, damaged or cut short: save it again. If XGBoost has "
            f"saved it since, load it there, call booster.set_attr({DIGEST}=None) and "
            "save it.",
        )
    return content


def signed(content: bytearray) -> bytearray:
    """Put the digest of a model file in the place of ``UNSIGNED``."""
    place = _PLACE.search(content)
    if place is None:
        raise RuntimeError("The host has written the model without a place to sign it.")
    content[slice(*place.span(1))] = _digest_without(content, place.span(1))
    return content


def _digest_without(content: bytearray, span: tuple[int, int]) -> bytes:
    """The digest of the content with ``UNSIGNED`` at the span."""
    view = memoryview(content)
    digest = hashlib.sha256(view[: span[0]])
    digest.update(UNSIGNED.encode())
    digest.update(view[span[1] :])
    return digest.hexdigest().encode()
