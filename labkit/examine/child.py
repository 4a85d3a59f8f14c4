"""The process that runs a stranger's code: it loads one generator, and draws what it is asked for.

python -m labkit.examine.child <number of an open socket> <a JSON object: what to load, and the limits>

Asked and answered over the socket in frames, see `send` and `receive`: JSON, and the bytes of at most one array of
float32. No pickle crosses it either way. What is loaded here, and what it prints, stays here.
"""

import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import random
import resource
import socket
import struct
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HEAD = struct.Struct(">II")  # lengths of the JSON and of the array, in bytes
LARGEST_JSON, LARGEST_ARRAY = 1 << 16, 1 << 28  # bytes of a frame
PREFIXES = ("module.", "_orig_mod.")  # what nn.DataParallel and torch.compile put before every key
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
MOST_PICTURES = 10_000
ARRAYS: tuple[str, ...] = ("images", "samples", "fake", "x")  # what the pictures of an .npz may be called
SIDE = 256  # pixels: no larger picture is taken
LOADERS = {"images": "_folder", "array": "_array", "onnx": "_onnx", "script": "_script", "code": "_code"}


class Refused(Exception):
    """What was brought cannot be examined; the text is one line for whoever brought it."""


# ----- frames


def send(to: socket.socket, head: dict, array: bytes = b"") -> None:
    """Send one frame."""
    text = json.dumps(head).encode()
    to.sendall(HEAD.pack(len(text), len(array)) + text + array)


def receive(read: Callable[[int], bytes]) -> tuple[dict, bytes]:
    """One frame, of which ``read(n)`` gives the next n bytes.

    Raises:
        ValueError: it is none, or larger than a frame may be.
    """
    length, size = HEAD.unpack(read(HEAD.size))
    if length > LARGEST_JSON or size > LARGEST_ARRAY:
        raise ValueError("a frame beyond all bounds")
    head = json.loads(read(length))
    if type(head) is not dict:
        raise ValueError("a frame without a head")
    return head, read(size)


def _read(sock: socket.socket) -> Callable[[int], bytes]:
    def read(n: int) -> bytes:
        parts = bytearray()
        while len(parts) < n:
            part = sock.recv(n - len(parts))
            if not part:
                raise SystemExit(0)  # nobody asks any more
            parts += part
        return bytes(parts)

    return read


# ----- what is brought as pictures


def _folder(what: dict) -> "Drawer":
    """A folder of pictures: grey ones as they are, others made grey."""
    from PIL import Image

    files = sorted(p for p in Path(what["path"]).iterdir() if p.suffix.lower() in PICTURES and p.is_file())
    if not files:
        raise Refused(f"no picture ({', '.join(PICTURES)}) lies in the folder")
    images, colours = [], 0
    for path in files[:MOST_PICTURES]:
        try:
            with Image.open(path) as opened:
                if max(opened.size) > SIDE:
                    raise Refused(
                        f"{path.name} has {opened.size[0]} x {opened.size[1]} pixels: at most {SIDE} are taken"
                    )
                colours += opened.mode not in ("L", "1", "I;16")
                images.append(np.asarray(opened.convert("L"), np.uint8))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise Refused(f"{path.name} is no picture that can be read") from None
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        raise Refused(f"the pictures have several sizes, as {' and '.join(f'{w} x {h}' for h, w in sorted(sizes)[:2])}")
    notes = [f"{colours} of {len(images)} pictures were in colour: made grey"] if colours else []
    return Drawer(images=np.stack(images), notes=notes)


def _array(what: dict) -> "Drawer":
    """The pictures in a .npy, or in a .npz: its only array, or the one called images or samples."""
    path, content = Path(what["path"]), Path(what["path"]).read_bytes()
    try:
        if path.suffix.lower() == ".npy":
            found: dict[str, bytes] = {"array": content}
        else:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                found = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        names = [name for name in ARRAYS if name in found] or list(found)
        if len(found) > 1 and names == list(found):
            raise Refused(f"it holds the arrays {', '.join(names[:5])}: call the pictures 'images'")
        array = np.lib.format.read_array(io.BytesIO(found[names[0]]), allow_pickle=False)
    except (ValueError, OSError, zipfile.BadZipFile, IndexError, EOFError, RuntimeError) as error:
        if "pickle" in str(error).lower():
            raise Refused("it holds Python objects, whose loading would run code: save an array of numbers") from None
        raise Refused(f"it is no file of an array ({_line(error)})") from None
    if array.dtype.kind not in "uifb" or array.ndim < 2 or not array.size:
        raise Refused(f"its array is {array.dtype} of shape {array.shape}: give numbers, (n, 28, 28)")
    return Drawer(images=array[:MOST_PICTURES], notes=[])


# ----- what is brought as a generator


def _onnx(what: dict) -> "Drawer":
    try:
        import onnxruntime
    except ImportError:
        raise Refused("ONNX needs the package onnxruntime: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(what["path"], options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise Refused(f"it takes {len(inputs)} inputs ({names}): give a network of z alone")
    shape = [size if isinstance(size, int) else None for size in inputs[0].shape]
    fixed, kind = (
        shape[0],
        {"tensor(double)": np.float64, "tensor(float16)": np.float16}.get(inputs[0].type, np.float32),
    )

    def draw(z: Tensor) -> Tensor:
        out = []
        for part in z.split(fixed or len(z)):
            n = len(part)
            part = part.expand(fixed, *part.shape[1:]) if fixed and n == 1 else part
            if fixed and len(part) < fixed:
                part = torch.cat([part, part[-1:].expand(fixed - n, *part.shape[1:])])
            out.append(session.run(None, {inputs[0].name: part.numpy().astype(kind)})[0][:n])
        return torch.from_numpy(np.concatenate(out))

    notes = [f"Its batch is fixed at {fixed}: shorter ones are filled up"] if fixed and fixed > 1 else []
    hints = [[len(shape), shape[1]]] if len(shape) > 1 and shape[1] else []
    return Drawer(draw, hints=hints, notes=notes)


def _script(what: dict) -> "Drawer":
    try:
        module = torch.jit.load(what["path"], map_location="cpu")
    except RuntimeError as error:
        raise Refused(f"it is no TorchScript file that can be loaded ({_line(error)})") from None
    return _of_module(module, mode=True)


def _code(what: dict) -> "Drawer":
    """The object ``what["object"]`` of the Python file: a class, a network, or a function."""
    module = _imported(Path(what["path"]))
    name = what["object"] or _guess(module)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            there = ", ".join(
                n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__
            )
            raise Refused(f"{Path(what['path']).name} has no {name!r}: its classes are {there or '(none)'}")
        found = getattr(found, part)
    if isinstance(found, types.ModuleType):
        found = getattr(found, part, found)  # a class called as its module
    built = inspect.isclass(found)
    if built:
        if not issubclass(found, nn.Module):
            raise Refused(f"{name} is no nn.Module: name the class of the generator, or a function of z")
        found = _call(found, name, what["arguments"])
    elif not isinstance(found, nn.Module) and callable(found) and not _wanted(found):
        found = _call(found, name, what["arguments"])  # a function that makes it
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise Refused(f"{name} is a {type(found).__name__}: name a class, a network, or a function of z")
        if what["weights"]:
            raise Refused(f"{name} is a function: no weights can be put into it; name the class of the generator")
        return Drawer(found, notes=[f"{name} is a function: drawn from as it is"])
    notes = _put_weights(found, what["weights"]) if what["weights"] else []
    if not what["weights"] and built:
        notes = ["No weights were given: it is the network as it is built"]
    drawer = _of_module(found, mode=not built)
    drawer.notes[:0] = notes
    if wanted := _wanted(found.forward)[1:]:
        raise Refused(
            f"{name} needs {', '.join(wanted)} beside z, as a conditional GAN does: name a function of z alone that"
            " fills them in"
        )
    return drawer


def _imported(path: Path) -> types.ModuleType:
    """The module in the file ``path``. What lies beside it can be imported, with a dot before it or without."""
    parts, top = [path.stem], path.parent
    while (top / "__init__.py").is_file():
        parts.insert(0, top.name)
        top = top.parent
    sys.argv = [str(path)]
    sys.path.insert(0, str(top))
    try:
        if len(parts) > 1:
            return importlib.import_module(".".join(parts))
        package = types.ModuleType("submission")  # as if its folder were one
        package.__path__ = [str(path.parent)]
        sys.modules["submission"] = package
        spec = importlib.util.spec_from_file_location(f"submission.{path.stem.replace('.', '_')}", path)
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        sys.modules[module.__name__] = module
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        return module
    except SyntaxError as error:
        raise Refused(f"{Path(error.filename or path).name}, line {error.lineno}: {error.msg}") from None


def _guess(module: types.ModuleType) -> str:
    """The name of the class of a generator among those that ``module`` defines."""
    own = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    ]
    likely = [name for name in own if "gen" in name.lower() or name.lower() in ("g", "netg")] or own
    if len(likely) != 1:
        raise Refused(
            f"which class is the generator? Name one of {', '.join(likely) or '(there is none)'}: file.py:NAME"
        )
    return likely[0]


def _wanted(function: Callable) -> list[str]:
    """The arguments that ``function`` cannot be called without."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return []
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in free]


def _call(what: Callable, name: str, arguments: dict) -> Any:
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    if lacking := [one for one in _wanted(what) if one not in given]:
        values = " ".join(f"{one}=..." for one in lacking)
        raise Refused(f'{name} cannot be built without {", ".join(lacking)}: give --arguments "{values}"')
    return what(**given)


def _of_module(module: nn.Module, mode: bool) -> "Drawer":
    """Draw from ``module``; ``mode``: it was brought in a mode, train or eval, that somebody chose."""
    notes = []
    if any(value.dtype in (torch.float16, torch.bfloat16) for value in module.parameters()):
        notes.append("Its weights are half precision: computed in float32")
        module.float()
    layers = [one for one in module.modules() if not list(one.children())]
    hints = []
    for one in layers:
        if size := getattr(one, "in_features", None):
            hints.append([2, size])
        elif size := getattr(one, "in_channels", None):
            hints.append([4, size])
        elif _kind(one) == "Embedding" and not hints:
            raise Refused(
                "its first layer is an Embedding, of labels as in a conditional GAN: name a function of z alone that"
                " fills them in"
            )
    hints = hints[:1]
    for key in ("latent_dim", "z_dim", "nz", "latent_size", "noise_dim", "latent", "dim_z"):
        if isinstance(size := getattr(module, key, None), int):
            hints += [[2, size], [4, size]]
    last = _kind(layers[-1]) if layers else ""
    return Drawer(module, module=module, hints=hints, notes=notes, last=last, mode=mode)


def _kind(module: nn.Module) -> str:
    """The class of a layer; those of a script are all of one, and keep the name of their own."""
    return getattr(module, "original_name", type(module).__name__)


# ----- weights


def _put_weights(module: nn.Module, path: str) -> list[str]:
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
        return sum(key not in state or state[key].shape != own[key].shape for key in own) + len(
            state.keys() - own.keys()
        )

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
        if "__builtin__" in named or named.split(".")[0] in (
            "posix",
            "nt",
            "os",
            "subprocess",
            "sys",
            "builtins",
            "runpy",
        ):
            raise Refused(f"{path.name} would run code when it is loaded ({named}): refused, it was not run") from None
        if named or "weights_only" in text or "Weights only" in text:
            what = f" ({named.strip('`,.')})" if named else ""
            raise Refused(
                f"{path.name} holds Python objects{what}, a whole network perhaps: refused; save {right}"
            ) from None
        raise Refused(f"{path.name} is no file of weights ({_line(error)}): save {right}") from None


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
    words = []
    for what, keys in (("lacks", missing), ("has", other)):
        if keys:
            words.append(f"{what} {', '.join(keys[:3])}{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}")
    for key in shapes[:1]:
        words.append(f"{key} is {tuple(state[key].shape)} there and {tuple(own[key].shape)} in the class")
    return (
        f"{name} does not fit the class: it {'; it '.join(words[:2])}"
        if not shapes
        else (f"{name} does not fit the class: {'; '.join(words[::-1][:2])}")
    )


# ----- drawing


class Drawer:
    """What was brought: a function of z, a network of which the mode can be chosen, or pictures."""

    def __init__(self, draw=None, module=None, images=None, hints=(), notes=(), last="", mode=False):
        self.draw, self.module, self.images = draw, module, images
        self.notes, self.hints, self.last = list(notes), list(hints), last
        self.modes = {one: one.training for one in module.modules()} if module is not None else {}
        self.state = {k: v.clone() for k, v in module.state_dict().items()} if module is not None else {}
        self.card = {"of_pictures": images is not None, "network": module is not None, "brings_mode": mode}

    def answer(self, asked: dict, content: bytes) -> tuple[dict, bytes]:
        """The frame that answers ``asked``: pictures."""
        if self.images is not None:
            return _framed(torch.from_numpy(np.ascontiguousarray(self.images[asked["first"] : asked["last"]])))
        z = torch.frombuffer(bytearray(content), dtype=torch.float32).view(asked["shape"])
        for one, training in self.modes.items():
            one.train(training) if asked["mode"] == "brought" else None
        if self.module is not None and asked["mode"] != "brought":
            self.module.train(asked["mode"] == "train")
        own = next((p.dtype for p in self.module.parameters()), z.dtype) if self.module is not None else z.dtype
        z = z.to(own) if own.is_floating_point else z
        torch.manual_seed(asked["seed"])
        np.random.seed(asked["seed"])
        random.seed(asked["seed"])
        with torch.no_grad():
            out = self.draw(z)
        if self.module is not None and asked["mode"] != "eval":  # which spoils the statistics of BatchNorm
            self.module.load_state_dict(self.state)
        return _framed(out)

    def about(self) -> dict:
        """What the one who asks should know before."""
        count = sum(value.numel() for value in self.module.parameters()) if self.module is not None else 0
        n = 0 if self.images is None else len(self.images)
        training = any(
            training for one, training in self.modes.items() if list(one.buffers(False)) or "Drop" in _kind(one)
        )
        hints = {"hints": self.hints, "last": self.last, "notes": self.notes}
        return self.card | hints | {"parameters": count, "pictures": n, "training": training}


def _framed(out: Any) -> tuple[dict, bytes]:
    while isinstance(out, tuple | list) and len(out) and not isinstance(out[0], int | float):
        out = out[0]  # pictures, and what else a network may give
    out = torch.from_numpy(out) if isinstance(out, np.ndarray) else out
    if not isinstance(out, Tensor):
        raise Refused(f"it draws a {type(out).__name__}, no tensor")
    whole = not out.dtype.is_floating_point
    content = out.detach().cpu().to(torch.float32).contiguous()
    if content.numel() * 4 > LARGEST_ARRAY:
        raise Refused(f"it draws a tensor of shape {tuple(content.shape)}: far too large")
    return {"shape": list(content.shape), "whole": whole}, content.numpy().tobytes()


# ----- the process


def _limit(memory: int, seconds: int) -> None:
    """Memory in bytes, and seconds of processor time, of this process; no file above a gigabyte, no core dump."""
    wanted = {"RLIMIT_DATA": memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 1 << 30, "RLIMIT_CORE": 0}
    for name, value in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # a system that has no such limit
            resource.setrlimit(kind, (value, value))


def _line(error: BaseException) -> str:
    """The last line of what ``error`` says, short."""
    text = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")
    return (text or type(error).__name__)[:300]


def _fault(error: BaseException, loading: bool) -> str:
    """In a line, why a stranger's code did not do what it should."""
    text = _line(error)
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in text or "not enough memory" in text:
        return "it fills the memory: its limit was reached (see --memory)"
    if isinstance(error, SystemExit):
        return f"it ends the program (sys.exit({error.code!r})){' when it is imported' if loading else ''}"
    if isinstance(error, EOFError):
        return "it asks for input, and nobody is there to answer"
    if "CUDA" in text or "NVIDIA" in text:
        return (
            f"it asks for a GPU ({text}): let it run on a CPU as well,"
            " device = 'cuda' if torch.cuda.is_available() else 'cpu'"
        )
    where = "when it is loaded: " if loading else ""
    return f"{where}{type(error).__name__}: {text}"


def main() -> None:
    """Load what the command line says, tell about it, and draw until nobody asks."""
    sock, what = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    read = _read(sock)
    torch.set_num_threads(what["threads"])
    _limit(what["memory"], what["processor"])
    send(sock, {})  # from here on it is a stranger's time
    try:
        drawer = globals()[LOADERS[what["kind"]]](what)
        send(sock, drawer.about())
    except BaseException as error:
        send(sock, {"error": _fault(error, loading=True)})
        return
    while True:
        asked, content = receive(read)
        try:
            frame = drawer.answer(asked, content)
        except BaseException as error:
            frame = {"error": _fault(error, loading=False)}, b""
        send(sock, *frame)


if __name__ == "__main__":
    main()
