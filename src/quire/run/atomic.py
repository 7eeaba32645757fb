"""Writing that a crash cannot tear: a temporary name, flush, sync, rename, sync of the folder."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quire.errors import DiskFault, DiskFull, QuireError
from quire.units import show_size

_LEFTOVER = re.compile(r"\.(?P<name>.+)\.quire-(?P<kind>new|old)-(?P<pid>\d+)-[0-9a-f]{8}")
_CHUNK = 1 << 20
# An input/output error, a disk that was mounted read-only (as Linux does after one), or that was taken away.
_FAULTS = (errno.EIO, errno.EROFS, errno.ENXIO, errno.ENODEV, errno.ESTALE)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 so that `path` holds either its old or its new content, never less.  May raise DiskFull."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """As `write_text`, for bytes."""
    temporary = _sibling(path, "new")
    try:
        with named_disk_errors(path):
            make_folder(path.parent)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block ends well it stands, synced, under the name `path`.

    A folder that stood there before is replaced as a whole.  When the block fails, `path` is as it was.
    """
    temporary = _sibling(path, "new")
    try:
        with named_disk_errors(path):
            make_folder(path.parent)
            temporary.mkdir()
            yield temporary
            _sync_tree(temporary)
            _put_in_place(temporary, path)
            sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make `path` and what is missing above it, each with a name that lasts."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def remove_folder(path: Path) -> None:
    """Delete a folder with all that is in it: whole or not there, wherever it is interrupted.  None there: nothing."""
    going = _sibling(path, "new")  # what is half there under this name is a leftover
    try:
        with named_disk_errors(path):
            path.rename(going)
    except FileNotFoundError:
        return
    shutil.rmtree(going, ignore_errors=True)


def link_tree(folder: Path, path: Path) -> None:
    """Let `path` be a folder of the same files as `folder`: hard links where the disk has them, else copies."""
    with fresh_folder(path) as target:
        shutil.copytree(folder, target, copy_function=_link_or_copy, dirs_exist_ok=True)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def remove_leftovers(folder: Path) -> list[Path]:
    """Clear what a killed process left half written anywhere under `folder`; return the paths that were removed.

    What a living process is writing is let be.  A folder that was caught while being replaced gets its old content
    back.
    """
    removed = []
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            match = _LEFTOVER.fullmatch(name)
            if not match or _belongs_to_another(int(match["pid"])):
                continue
            path = Path(parent) / name
            if match["kind"] == "old" and not (target := path.with_name(match["name"])).exists():
                path.rename(target)
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            removed.append(path)
        folders[:] = [name for name in folders if not _LEFTOVER.fullmatch(name)]
    return removed


def hash_file(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def require_space(path: Path, needed: int) -> None:
    """Raise DiskFull unless the disk that holds (or will hold) `path` has `needed` bytes free."""
    standing = path.absolute()
    while not standing.exists():
        standing = standing.parent
    free = shutil.disk_usage(standing).free
    if free < needed:
        raise DiskFull(
            f"{path} needs {show_size(needed)} of disk, and {show_size(free)} are free",
            f"free {show_size(needed - free)}, or put the run on another disk with --run DIR",
            "disk",
        )


def is_disk_full(error: BaseException) -> bool:
    """Whether `error` says that a disk or a quota is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # Libraries written in Rust and C++ (safetensors, torch) hand the system's words on as text only.
    return "No space left on device" in str(error) or "Disk quota exceeded" in str(error)


def disk_fault(error: BaseException) -> str | None:
    """The system's words where `error` says that a disk cannot be read or written for another reason than room."""
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno in _FAULTS else None
    return next((os.strerror(number) for number in _FAULTS if os.strerror(number) in str(error)), None)


@contextmanager
def named_disk_errors(path: Path) -> Iterator[None]:
    """Turn what a full or failing disk raises inside into a DiskFull or DiskFault that names `path`."""
    try:
        yield
    except QuireError:
        raise
    except Exception as error:
        if is_disk_full(error):
            message = f"the disk is full: {path} could not be written; what was there before is intact"
            raise DiskFull(message, "free some space and give the same command again", "disk") from error
        if (reason := disk_fault(error)) is not None:
            message = f"the disk failed: {path} could not be written ({reason}); what was there before is intact"
            raise DiskFault(message, "check the disk, then give the same command again", "disk") from error
        raise


def sync_file(path: Path) -> None:
    """Bring to the disk what was written to a file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    if sys.platform == "win32":  # folders cannot be opened there, and need not be
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sibling(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.quire-{kind}-{os.getpid()}-{secrets.token_hex(4)}")


def _sync_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            sync_file(Path(parent) / name)
        sync_folder(Path(parent))


def _put_in_place(new: Path, path: Path) -> None:
    """Rename `new` to `path`, over a folder that may stand there."""
    if not path.exists():
        new.rename(path)
        return
    if _exchange(new, path):
        old = new
    else:
        old = _sibling(path, "old")
        path.rename(old)
        new.rename(path)  # a crash before this line is mended by remove_leftovers
    sync_folder(path.parent)  # or the name might come back for what is removed now
    shutil.rmtree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step where the system can (Linux: renameat2 with RENAME_EXCHANGE)."""
    if sys.platform != "linux":
        return False
    at_working_folder, exchange = -100, 2
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    return bool(renameat2(at_working_folder, os.fsencode(one), at_working_folder, os.fsencode(other), exchange) == 0)


def _belongs_to_another(pid: int) -> bool:
    """Whether a living process other than this one has that number."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
