"""A disk of a few MiB, and how to fill it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE_MIB = 4


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount a tmpfs of SIZE_MIB at a folder, which only root may; unmount it afterwards."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=777", "sentiment-tests", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"this test must be allowed to mount a tmpfs, as root is: {done.stderr}"
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> None:
    """Write to a disk until no byte more fits."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as out:
        while True:
            out.write(os.urandom(1 << 12))
