"""The weights that a stranger saved: found in what torch saved, made to fit the class, and never code that is run."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .frames import Refused, line_of

PREFIXES = ("module.", "_orig_mod.")  # what nn.DataParallel and torch.compile put before every key
RUNNING = (
    "posix",
    "nt",
    "os",
    "subprocess",
    "sys",
    "builtins",
    "__builtin__",
    "runpy",
    "shutil",
    "socket",
)  # pickles' code


def put_weights(module: nn.Module, path: str) -> list[str]:
    """Load the weights in ``path`` into ``module``; what was taken and changed, in words.

    Raises:
        Refused: it holds more than tensors and plain values, or they do not fit.
    """
    loaded = _tensors(Path(path))
    own = module.state_dict()
    found = {name: _plain(state) for name, state in _states(loaded).items()}
    if not found:
        kind = type(loaded).__name__
        raise Refused(f"{Path(path).name} holds no weights, but a {kind}: torch.save(generator.state_dict(), 'g.pt')")

    def misfit(state: dict[str, Tensor]) -> int:
        wrong = sum(key not in state or state[key].shape != own[key].shape for key in own)
        return wrong + len(state.keys() - own.keys())

    name = min(found, key=lambda one: misfit(found[one]))  # the first of the best
    state = found[name]
    notes = [f"Of {Path(path).name} its entry {name!r} was taken"] if name else []
    if state.keys() != _states(loaded)[name].keys():
        notes.append("Prefixes of its keys (module., _orig_mod.) were left out")
    if misfit(state):
        raise Refused(_unfit(Path(path).name, own, state))
    module.load_state_dict(state)
    if not all(value.isfinite().all() for value in state.values() if value.dtype.is_floating_point):
        notes.append("Its weights hold numbers that are not finite")
    return notes


def _tensors(path: Path) -> Any:
    """What is in a file of weights, of which no code is run."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise Refused(f"{path.name} is not there") from None
    except Exception as error:  # of many kinds, by what is in the file
        text, right = str(error), "torch.save(generator.state_dict(), 'g.pt')"
        named = next((text.partition(mark)[2].split()[0] for mark in ("GLOBAL ", "global ") if mark in text), "")
        if named.split(".")[0] in RUNNING:
            raise Refused(f"{path.name} would run code when it is loaded ({named}): refused, it was not run") from None
        if named or "weights_only" in text or "Weights only" in text:
            what = f" ({named.strip('`,.')})" if named else ""
            raise Refused(
                f"{path.name} holds Python objects{what}, a whole network perhaps: refused; save {right}"
            ) from None
        raise Refused(f"{path.name} is no file of weights ({line_of(error)}): save {right}") from None


def _states(loaded: Any, name: str = "", depth: int = 3) -> dict[str, dict[str, Tensor]]:
    """The dicts of tensors in ``loaded``, by the way to them."""
    if not isinstance(loaded, dict) or not loaded:
        return {}
    if all(isinstance(value, Tensor) for value in loaded.values()):
        return {name: {str(key): value for key, value in loaded.items()}}
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in loaded.items() if depth else ():
        found |= _states(value, f"{name}.{key}".lstrip("."), depth - 1)
    return found


def _plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """``state`` without the prefixes that all its keys have."""
    for prefix in PREFIXES * 2:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _unfit(name: str, own: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    """In a line, the first of the keys that do not fit."""
    missing, other = [k for k in own if k not in state], [k for k in state if k not in own]
    shapes = [k for k in own if k in state and own[k].shape != state[k].shape]
    words = [f"{key} is {tuple(state[key].shape)} there and {tuple(own[key].shape)} in the class" for key in shapes[:1]]
    for what, keys in (("lacks", missing), ("has", other)):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            words.append(f"it {what} {', '.join(keys[:3])}{more}")
    return f"{name} does not fit the class: {'; '.join(words[:2])}"
