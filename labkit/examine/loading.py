"""What was brought, from the file or folder in which it lies, as a `Drawer`. This runs a stranger's code."""

import importlib
import importlib.util
import inspect
import io
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .drawer import Drawer, kind_of
from .frames import Refused, line_of
from .weights import put_weights

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
MOST_PICTURES = 10_000
ARRAYS: tuple[str, ...] = ("images", "samples", "fake", "x")  # what the pictures of an .npz may be called
SIDE = 256  # pixels: no larger picture is taken


def load(what: dict) -> Drawer:
    """What `Submission.what` describes.

    Raises:
        Refused: it cannot be examined; and whatever a stranger's code raises.
    """
    return LOADERS[what["kind"]](what)


# ----- what is brought as pictures


def _folder(what: dict) -> Drawer:
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
                if opened.mode[0] in "IF":
                    raise Refused(f"{path.name} has more than 8 bits for a pixel: save grey levels, 0 to 255")
                colours += opened.mode not in ("L", "1")
                images.append(np.asarray(opened.convert("L"), np.uint8))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise Refused(f"{path.name} is no picture that can be read") from None
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        raise Refused(f"the pictures have several sizes, as {' and '.join(f'{w} x {h}' for h, w in sorted(sizes)[:2])}")
    notes = [f"{colours} of {len(images)} pictures were in colour: made grey"] if colours else []
    return Drawer(images=np.stack(images), notes=notes)


def _array(what: dict) -> Drawer:
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
        raise Refused(f"it is no file of an array ({line_of(error)})") from None
    if array.dtype.kind not in "uifb" or array.ndim < 2 or not array.size:
        raise Refused(f"its array is {array.dtype} of shape {array.shape}: give numbers, (n, 28, 28)")
    return Drawer(images=array[:MOST_PICTURES], notes=[])


# ----- what is brought as a generator


def _onnx(what: dict) -> Drawer:
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
    fixed = shape[0]
    kind = {"tensor(double)": np.float64, "tensor(float16)": np.float16}.get(inputs[0].type, np.float32)

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


def _script(what: dict) -> Drawer:
    try:
        module = torch.jit.load(what["path"], map_location="cpu")
    except RuntimeError as error:
        raise Refused(f"it is no TorchScript file that can be loaded ({line_of(error)})") from None
    return _of_module(module, mode=True)


def _code(what: dict) -> Drawer:
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
    notes = put_weights(found, what["weights"]) if what["weights"] else []
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


def _of_module(module: nn.Module, mode: bool) -> Drawer:
    """Draw from ``module``; ``mode``: it was brought in a mode, train or eval, that somebody chose."""
    notes = []
    if any(value.dtype in (torch.float16, torch.bfloat16) for value in module.parameters()):
        notes.append("Its weights are half precision: computed in float32")
        module.float()
    if any(
        getattr(one, "num_batches_tracked", None) is not None and not one.num_batches_tracked
        for one in module.modules()
    ):
        notes.append("Its BatchNorm has seen no batch: in eval mode it uses statistics that nobody has collected")
    layers = [one for one in module.modules() if not list(one.children())]
    hints = []
    for one in layers:
        if size := getattr(one, "in_features", None):
            hints.append([2, size])
        elif size := getattr(one, "in_channels", None):
            hints.append([4, size])
    hints = hints[:1]
    for key in ("latent_dim", "z_dim", "nz", "latent_size", "noise_dim", "latent", "dim_z"):
        if isinstance(size := getattr(module, key, None), int):
            hints += [[2, size], [4, size]]
    last = kind_of(layers[-1]) if layers else ""
    return Drawer(module, module=module, hints=hints, notes=notes, last=last, mode=mode)


LOADERS: dict[str, Callable[[dict], Drawer]] = {
    "images": _folder,
    "array": _array,
    "onnx": _onnx,
    "script": _script,
    "code": _code,
}
