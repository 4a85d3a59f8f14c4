"""Rooms with free seats: a new file in such a folder is found without being named anywhere."""

import importlib
import pkgutil


def import_all(package: str, path: list[str]) -> None:
    """Import every module of ``package``, whose ``__path__`` is ``path``, so that each can register what it brings."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")
