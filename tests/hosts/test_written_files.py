"""Files are written whole, and as the file that was there."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from focalboost._hosts._files import write_in_one_step


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_in_one_step(path, b"old")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_in_one_step(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exists", [True, False], ids=["there", "not there yet"])
def test_what_a_link_points_to_is_written(exists, tmp_path):
    (tmp_path / "store").mkdir()
    target, link = tmp_path / "store" / "model", tmp_path / "model"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(Path("store", "model"))
    write_in_one_step(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [file.name for file in target.parent.iterdir()] == ["model"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    content = b"model" * 100_000  # more than a pipe holds
    write_in_one_step(pipe, content)
    reader.join(60)
    assert read == [content]
    assert pipe.is_fifo()


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no devices")
def test_a_device_is_written_to():
    before = os.stat("/dev/null")
    write_in_one_step("/dev/null", b"model")
    after = os.stat("/dev/null")
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no /dev/stdout")
def test_standard_output_is_written_to():
    code = """
from focalboost._hosts._files import write_in_one_step
write_in_one_step("/dev/stdout", b"model")
"""
    command = [sys.executable, "-c", code]
    path = os.pathsep.join(sys.path)
    result = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True
    )
    assert result.stdout == b"model"


@pytest.mark.skipif(os.name != "posix", reason="no modes")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o777])
def test_the_mode_of_a_file_is_kept(mode, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_in_one_step(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(not hasattr(os, "chown"), reason="no owners")
def test_the_owner_of_a_file_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
        write_in_one_step(path, b"new")
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)

    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chown", forbidden)
    write_in_one_step(path, b"newer")  # by others the file is written all the same
    assert path.read_bytes() == b"newer"


def test_a_name_as_long_as_the_file_system_allows(tmp_path):
    path = tmp_path / ("m" * 250 + ".json")
    for content in (b"old", b"new"):
        write_in_one_step(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
