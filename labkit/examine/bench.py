"""`labkit examine`: one submission or a class of them, a page for each and a table of all."""

import ast
from pathlib import Path

from ..base import doors
from ..base.errors import LabError
from ..base.files import write_atomic
from . import page
from .measure import Examination, Settings, examine
from .submission import Submission, submissions


def examine_all(specs: list[str], out: Path, settings: Settings, given: Submission, table: Path | None = None) -> int:
    """Examine all that ``specs`` name, into the folder ``out``; 1 if one of them could not be examined, else 0.

    ``given`` holds what is the same for all: weights, arguments of the class, the length of z, sentences. After each
    submission its page and the table, ``table`` or out/table.csv, are written whole, so what is done is kept.

    Raises:
        LabError: there is nothing to examine, the only one is not there, or the pages cannot be written.
    """
    found = submissions(specs, given)
    if len(found) == 1 and found[0].fault:
        raise LabError(found[0].fault)
    files, examined = page.file_names([one.name for one in found]), list[Examination]()
    many = len(found) > 1
    for number, (one, file) in enumerate(zip(found, files, strict=True), 1):
        print(f"{number} of {len(found)}: {one.name}" if many else one.name, flush=True)
        examined.append(examine(one, settings))
        _say(examined[-1])
        write_atomic(out / file, page.page(examined[-1], back=many).encode())
        write_atomic(table or out / "table.csv", page.table(examined, files[:number]).encode())
        if many:
            write_atomic(out / "index.html", page.index(examined, files[:number]).encode())
    print(f"written to {out / ('index.html' if many else files[0])}")
    return int(any(one.fault for one in examined))


def _say(found: Examination) -> None:
    for text in [*([f"not examined: {found.fault}"] if found.fault else []), *found.faults]:
        print(f"  {text}")
    for one in found.judged:
        print(f"  {one.verdict}: {one.text}")
    if found.scores:
        print(f"  Fr\u00e9chet distance {found.scores['frechet']:.2f}, {found.seconds:.0f} s")


def arguments_of(words: list[str]) -> dict:
    """``words`` like latent_dim=100 and size=(1,28) as values by name; what is no number, list or truth is text.

    Raises:
        LabError: one is not of the form name=value.
    """
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise LabError(f"--arguments {word}: give name=value, as latent_dim=100")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def from_options(options) -> int:
    """What the command line says, done."""
    dims = options.dims.replace(",", " ").split()
    if not dims or not all(one.isdigit() for one in dims):
        raise LabError(f"--dims {options.dims}: give whole numbers, as 5,20,40,60,80")
    seconds = doors.real("--seconds", options.seconds, 5, 86_400)
    settings = Settings(seconds, doors.whole("--memory", options.memory, 1000, 10**7, "MB"), [int(one) for one in dims])
    latent = doors.whole("--latent", options.latent, 0, 65_536)
    weights, sentences = (Path(value).absolute() if value else None for value in (options.weights, options.sentences))
    if sentences and not sentences.is_file():
        raise LabError(f"--sentences {options.sentences} is not there")
    arguments = arguments_of(options.arguments)
    given = Submission("", "", weights=weights, arguments=arguments, latent=latent, sentences=sentences)
    return examine_all(options.specs, Path(options.out), settings, given, Path(options.csv) if options.csv else None)
