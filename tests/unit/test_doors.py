"""The doors: every number, path, vector and picture is taken for what it is, or refused in a line; never guessed at."""

import decimal
import fractions
import math
import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.base import doors
from labkit.base.errors import LabError

quick = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
WHOLE_TYPES = [int, *(np.dtype(kind).type for kind in "bBhHiIlL"), *(lambda n, t=t: torch.tensor(n, dtype=t)
               for t in (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)), lambda n: np.array([n]),
               lambda n: torch.tensor([[n]])]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    | st.complex_numbers() | st.decimals() | st.fractions() | st.sampled_from([object(), torch.nn.ReLU, iter([1]), {}]),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)  # fmt: skip


def taken_or_refused(door, *given):
    """What ``door`` makes of ``given``; None if it refuses in one line. Whatever else it raises is a fault."""
    try:
        return door(*given)
    except LabError as error:
        assert str(error).splitlines() == [str(error)] and len(str(error)) < 500
        return None


# ----- numbers


@pytest.mark.parametrize("kind", WHOLE_TYPES)
@pytest.mark.parametrize("number", [0, 3, 100])
def test_a_whole_number_of_any_type(kind, number):
    found = doors.whole("n", kind(number), 0, 100)
    assert found == number and type(found) is int


@pytest.mark.parametrize("value", [
    True, np.True_, torch.tensor(True), 3.0, np.float64(3), torch.tensor(3.0), "3", b"3", None, [3], (3,), {3},
    math.nan, 3j, np.array([1, 2]), torch.zeros(0), torch.zeros((), device="meta"), np.timedelta64(3), np.ma.masked,
    np.array(None), decimal.Decimal(3), fractions.Fraction(3), int, 10**5000, -1, 101,
], ids=lambda value: doors.said(value)[:20])  # fmt: skip
def test_what_is_no_whole_number(refused, value):
    with refused("n = ", "0 to 100"):
        doors.whole("n", value, 0, 100)


@pytest.mark.parametrize("value", [2e-4, np.float32(2e-4), np.float16(2e-4), np.longdouble("2e-4"), torch.tensor(2e-4),
                                   torch.tensor([2e-4], requires_grad=True), np.array(2e-4),
                                   fractions.Fraction(1, 5000), torch.tensor(2e-4, dtype=torch.float64)])  # fmt: skip
def test_a_number_of_any_type_is_the_same_number(value):
    found = doors.real("lr", value, 0, 1)
    assert found == 2e-4 and type(found) is float


@pytest.mark.parametrize("value", [True, np.True_, "0.5", None, math.nan, math.inf, -math.inf, 0.5j, np.complex64(0.5),
                                   [0.5], torch.zeros(2), 10**400, np.timedelta64(0), np.datetime64(0, "s"),
                                   torch.tensor(math.nan), -0.1, 1.1])  # fmt: skip
def test_what_is_no_number(refused, value):
    with refused("lr = ", "0 to 1"):
        doors.real("lr", value, 0, 1)


@pytest.mark.parametrize("values", [[5, 20], (5, 20), range(5, 21, 15), np.array([5, 20]), torch.tensor([5, 20]),
                                    np.array([5, 20], "u1"), [np.int64(5), torch.tensor(20)]])  # fmt: skip
def test_a_row_of_whole_numbers(values):
    found = doors.wholes("dims", values, 0, 99)
    assert found == [5, 20] and all(type(one) is int for one in found)
    found = doors.reals("values", values)
    assert found == [5.0, 20.0] and all(type(one) is float for one in found)


@pytest.mark.parametrize("values", [[], (), range(0), np.zeros(0), "12", b"12", bytearray(b"12"), {1: 2}, {1, 2}, 5,
                                    None, iter([1]), np.zeros((2, 2), int), torch.zeros(2, 2), np.array(5), [[1]],
                                    ["1"], [None], [True], [math.nan], np.array([True]), np.array(["1"])])  # fmt: skip
def test_what_is_no_row_of_numbers(refused, values):
    for door in (doors.wholes, doors.reals):
        with refused("dims = "):
            door("dims", values)


def test_a_generator_that_is_refused_is_not_consumed(refused):
    values = iter([1, 2])
    with refused("dims = "):
        doors.wholes("dims", values)
    assert list(values) == [1, 2]


@quick
@given(ANYTHING)
def test_whatever_comes_as_a_number(value):
    for door, kind in ((doors.whole, int), (doors.real, float), (doors.switch, bool), (doors.text, str)):
        found = taken_or_refused(door, "x", value)
        assert found is None or (type(found) is kind and found == kind(value))
    for door, kind in ((doors.wholes, int), (doors.reals, float)):
        found = taken_or_refused(door, "x", value)
        assert found is None or (all(type(one) is kind for one in found) and found == [*map(kind, value)])
    for door in (doors.latents, doors.grey_images, doors.unit_images):
        taken_or_refused(door, value)


# ----- paths


def test_a_path_is_absolute_and_text_is_as_good(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value, wanted in (("a/b", "a/b"), (Path("a"), "a"), (PurePosixPath("a"), "a"), ("~/a", "home/a"), (".", "")):
        found = doors.path("folder", value)
        assert found == tmp_path / wanted and found.is_absolute() and type(found) is type(Path())
    with os.scandir("/") as entries:
        entry = next(entries)
        assert doors.path("folder", entry) == Path("/", entry.name)


@pytest.mark.parametrize("value", ["", b"a", 5, None, True, ["a"], "a\0b", "~nobody-of-this-name/a", Path, {}],
                         ids=lambda value: doors.said(value)[:20])  # fmt: skip
def test_what_is_no_path(refused, value):
    with refused("folder = ", "give the path of a file or folder"):
        doors.path("folder", value)


# ----- latent vectors


@quick
@given(
    st.integers(1, 4), st.integers(1, 6), st.sampled_from(["?", *"bBhHiIlLefdgFDO", ">f8", ">i2", "m8"]),
    st.sampled_from(["whole", "row", "axes", "list", "reversed", "columns", "tensor", "grad"]), st.data(),
)  # fmt: skip
def test_vectors_come_out_as_they_were_given(n, d, kind, form, data):
    """Whatever type, order and layout: the same numbers, float32, (n, d)."""
    n = 1 if form == "row" else n
    z = np.array(data.draw(st.lists(st.integers(0, 9), min_size=n * d, max_size=n * d))).reshape(n, d)
    given = z.astype(kind)
    if form == "reversed":
        given = given[:, ::-1].copy()[:, ::-1]
    if form == "columns":
        given = np.asfortranarray(given)
    if form == "list":
        given = given.tolist()
    if form in ("row", "axes"):
        given = given[0] if form == "row" else given.reshape(n, d, 1, 1)
    if form in ("tensor", "grad"):
        try:
            given = torch.from_numpy(given)
        except TypeError:
            return
        if form == "grad" and not given.is_floating_point():
            return
        given.requires_grad_(form == "grad")
    found = taken_or_refused(doors.latents, given, d)
    if kind in ("?", "F", "D", "m8") or (kind == "O" and form != "list"):
        assert found is None
    else:
        assert found.dtype == torch.float32 and found.is_contiguous() and found.requires_grad == (form == "grad")
        assert found.tolist() == z.tolist()


@quick
@given(st.lists(st.integers(0, 5), max_size=4), st.integers(1, 5))
def test_vectors_of_any_shape_are_of_the_length_that_is_wanted_or_refused(shape, d):
    found = taken_or_refused(doors.latents, torch.arange(float(math.prod(shape))).view(shape), d)
    if found is not None:
        assert found.shape[1] == d and found.flatten().tolist() == [*range(math.prod(shape))] and shape[-1:] != [0]
    else:
        assert shape not in ([d], [2, d], [2, d, 1, 1])


@pytest.mark.parametrize("z", [
    torch.zeros(8, 64), torch.zeros(200), torch.zeros(0, 100), torch.zeros(100, 8), torch.zeros(1, 8, 100),
    torch.full((1, 100), math.nan), np.full((1, 100), 1e300), torch.zeros(8, 100).to_sparse(),
    torch.zeros(8, 100, device="meta"), torch.zeros(8, 100, dtype=torch.cfloat), np.zeros((8, 100), object), "z", None,
    [[0.0] * 100, [0.0] * 99], [["0"] * 100], 5, torch.zeros(()), np.ma.masked_all((8, 100)),
], ids=lambda z: doors.said(z)[:40])  # fmt: skip
def test_what_are_no_vectors(refused, z):
    with refused("z ", "(n, 100)"):
        doors.latents(z, 100)


def test_a_read_only_array_is_neither_changed_nor_warned_about(recwarn):
    z = np.ones((2, 3), np.float32)
    z.flags.writeable = False
    doors.latents(z).add_(1)
    assert z.sum() == 6 and not recwarn.list


# ----- pictures

GUISES = {
    "uint8": lambda u: u,
    "int64": lambda u: u.long(),
    "int16": lambda u: u.short(),
    "levels": lambda u: u.float(),
    "levels, rounded": lambda u: u.float() / 255 * 255,
    "0 to 1": lambda u: u.float() / 255,
    "0 to 1, float64": lambda u: u.double() / 255,
    "0 to 1, float16": lambda u: (u.double() / 255).half(),
    "-1 to 1": lambda u: u.float() / 127.5 - 1,
    "-1 to 1, normalised": lambda u: (u.float() / 255 - 0.5) / 0.5,
    "-1 to 1, float64": lambda u: u.double() / 127.5 - 1,
}
FORMS = {
    "(n, 28, 28)": lambda x: x,
    "(n, 1, 28, 28)": lambda x: x.unsqueeze(1),
    "(n, 28, 28, 1)": lambda x: x.unsqueeze(3),
    "(n, 784)": lambda x: x.flatten(1),
    "not contiguous": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
    "expanded": lambda x: x.unsqueeze(0).expand(3, *x.shape)[1],
    "NumPy": lambda x: x.numpy(),
    "read-only": lambda x: np.frombuffer(x.contiguous().numpy().tobytes(), x.numpy().dtype).reshape(x.shape),
    "negative strides": lambda x: x.flip(0, 2).numpy()[::-1, :, ::-1],
    "big-endian": lambda x: x.numpy().astype(x.numpy().dtype.newbyteorder(">")),
    "list": lambda x: list(x.numpy()),
    "in a graph": lambda x: x.requires_grad_() if x.is_floating_point() else x,
    "made in inference mode": lambda x: _in_inference(x),
}


@torch.inference_mode()
def _in_inference(x):
    return x * 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("guise", GUISES)
def test_garments_come_out_as_they_are_in_every_guise(sample_images, guise, form):
    u = sample_images[:7]
    given = FORMS[form](GUISES[guise](u.clone()))
    found = doors.grey_images(given)
    assert found.dtype == torch.uint8 and found.is_contiguous() and torch.equal(found, u) and not found.requires_grad
    measured = doors.unit_images(given)
    assert measured.dtype == torch.float32 and measured.shape == (7, 1, 28, 28)
    torch.testing.assert_close(measured.detach().squeeze(1), u.float() / 127.5 - 1, atol=1e-3, rtol=0)
    if guise == "uint8":
        assert torch.equal(measured.squeeze(1), u.float().div_(127.5).sub_(1.0))  # to the bit, as in training


@quick
@given(st.data(), st.sampled_from(list(GUISES)))
def test_pictures_of_any_levels_are_right_or_refused(data, guise):
    """Also a set of few levels, of none but bright ones, of one: no guise is taken for another."""
    levels = data.draw(st.lists(st.integers(0, 255), min_size=1, max_size=6) | st.sampled_from([[0, 1], [0, 255], [1]]))
    u = torch.tensor(levels, dtype=torch.uint8)[torch.arange(784) % len(levels)].view(1, 28, 28)
    found = taken_or_refused(doors.grey_images, GUISES[guise](u))
    assert found is None or torch.equal(found, u)
    if guise == "uint8" and max(levels) != 1:
        assert found is not None  # bytes are grey levels, whatever they show
    if guise.startswith("-1"):
        signed = doors.unit_images(GUISES[guise](u), signed=True)
        torch.testing.assert_close(signed.flatten(), u.flatten() / 127.5 - 1, atol=1e-5, rtol=0)


@quick
@given(
    st.lists(st.sampled_from([0, 1, 2, 3, 27, 28, 32, 784]), max_size=4), st.sampled_from([torch.uint8, torch.float32])
)
def test_pictures_of_any_shape_are_28_by_28_or_refused(shape, kind):
    pixels = (torch.arange(math.prod(shape)) % 250).view(shape).to(kind)
    for door, wanted in ((doors.grey_images, (28, 28)), (doors.unit_images, (1, 28, 28))):
        found = taken_or_refused(door, pixels)
        if found is not None:
            assert found.shape[1:] == wanted and 784 * len(found) == pixels.numel()
        else:
            assert shape not in ([28, 28], [2, 784], [2, 28, 28], [2, 1, 28, 28], [2, 28, 28, 1])


@pytest.mark.parametrize(("x", "words"), [
    (torch.zeros(4, 1, 32, 32), "(4, 1, 32, 32)"),
    (torch.zeros(4, 32, 32, dtype=torch.uint8), "(n, 28, 28)"),
    (torch.zeros(4, 3, 28, 28), "grey"),
    (np.zeros((4, 28, 28, 3), np.uint8), "grey"),
    (torch.zeros(0, 28, 28), "at least one"),
    (torch.full((4, 28, 28), math.nan), "not finite"),
    (torch.randn(4, 28, 28, generator=torch.Generator().manual_seed(0)), "cannot be told"),  # mean 0, deviation 1
    (torch.full((4, 28, 28), 300), "300"),
    (torch.full((4, 28, 28), -1), "-1"),
    (torch.full((4, 28, 28), 2**40), "cannot be told"),
    (torch.full((4, 28, 28), 0.5), "cannot be told"),
    (torch.zeros(4, 28, 28), "cannot be told"),  # black, or grey?
    (torch.arange(784.0).view(1, 28, 28) / 10, "cannot be told"),
    (torch.ones(4, 28, 28, dtype=torch.bool), "bool"),
    (torch.ones(4, 28, 28, dtype=torch.cfloat), "complex"),
    (np.full((4, 28, 28), "a"), "numbers"),
    (np.full((4, 28, 28), None), "numbers"),
    (torch.zeros(4, 28, 28).to_sparse(), "numbers"),
    (torch.zeros(4, 28, 28, device="meta"), "numbers"),
    ("garments.png", "garments.png"),
    (None, "None"),
])  # fmt: skip
def test_what_are_no_pictures(refused, x, words):
    for door in (doors.grey_images, doors.unit_images):
        with refused("images", words):
            door(x)


def test_pictures_of_a_generator_need_no_dark_pixel(refused):
    bright = torch.full((2, 1, 28, 28), 0.5)
    assert torch.equal(doors.unit_images(bright, signed=True), bright)
    for wrong in (torch.full((2, 1, 28, 28), 1.01), torch.full((2, 1, 28, 28), math.nan), bright.repeat(1, 3, 1, 1)):
        with refused("images"):
            doors.unit_images(wrong, signed=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_lies_on_a_gpu_stays_there(sample_images):
    assert doors.grey_images(sample_images[:3].cuda()).is_cuda
    assert doors.latents(torch.zeros(2, 5).cuda()).is_cuda
    assert doors.whole("n", torch.tensor(3).cuda()) == 3
