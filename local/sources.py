"""A digest of everything that decides what is deployed, to skip builds that change nothing."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

DEPLOYED_PATHS = ("template.yaml", "functions", "layers", "statemachines")


def source_digest(checkout: Path, *, build_for: str) -> str:
    """Hash of the deployed files' names and contents; `build_for` names the target runtime."""
    digest = hashlib.sha256(build_for.encode())
    for file in deployed_files(checkout):
        content = file.read_bytes()
        digest.update(f"\0{file.relative_to(checkout).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def deployed_files(checkout: Path) -> Iterator[Path]:
    """The files that reach the stack, in a stable order, without caches."""
    for name in DEPLOYED_PATHS:
        root = checkout / name
        candidates: Iterable[Path] = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in candidates:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                yield file
