"""What is measured on a picture: drawings whose numbers are known, plain loops, and what must not matter."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from labkit import data, pictures
from labkit.pictures import ATTRIBUTES, FLOOR, independent, measure

COLUMN = torch.arange(28)


def picture(grey):
    """Grey levels (28, 28) as one image in [-1, 1]."""
    return (grey.float() / 127.5 - 1).view(1, 1, 28, 28)


def box(top, bottom, left, right, level=200.0, ground=0.0):
    """A filled rectangle; the borders belong to it."""
    grey = torch.full((28, 28), ground)
    grey[top : bottom + 1, left : right + 1] = level
    return grey


RECTANGLE = box(10, 19, 8, 13)  # 10 rows of 6 columns
FRAME = box(5, 14, 5, 14) - box(8, 11, 8, 11)  # 10 by 10 with a hole of 4 by 4
U_SHAPE = box(5, 20, 8, 9).maximum(box(5, 20, 14, 15)).maximum(box(19, 20, 8, 15))
L_SHAPE = box(5, 20, 8, 9).maximum(box(19, 20, 8, 15))
RAMP = (80 + 4 * COLUMN) * (box(10, 19, 8, 17) > 0)
STRIPES = torch.where(COLUMN % 2 == 0, 100.0, 200.0) * (box(10, 19, 8, 17) > 0)
WHITE, EMPTY = torch.full((28, 28), 255.0), torch.zeros(28, 28)
FAINT, ENOUGH = box(3, 5, 3, 5, level=FLOOR), box(3, 5, 3, 5, level=FLOOR + 1)
SHADED, SHADOW = RECTANGLE + box(3, 5, 20, 23, level=41), RECTANGLE + box(3, 5, 20, 23, level=40)  # a fifth of 200
TWO_TONED = box(10, 19, 4, 7, level=100).maximum(box(10, 19, 8, 11))

KNOWN = {
    "brightness: rectangle": (RECTANGLE, 200 * 60 / 784),
    "brightness: white": (WHITE, 255),
    "brightness: empty": (EMPTY, 0),
    "contrast: rectangle": (RECTANGLE, 200 * math.sqrt(60 / 784 * (1 - 60 / 784))),
    "contrast: white": (WHITE, 0),
    "background: black": (RECTANGLE, 0),
    "background: grey": (box(10, 19, 8, 13, ground=20.0), 20),
    "background: a lit column": (RECTANGLE + 30 * (COLUMN == 0), 30 * 28 / (784 - 12 * 8)),
    "background: a halo is outline": (RECTANGLE + box(9, 9, 8, 13, level=30.0), 0),
    "background: shadow": (SHADOW, 40 * 12 / (784 - 12 * 8)),
    "background: none": (WHITE, 0),
    # The outline is 12 by 8 less the inner 8 by 4; 6 + 6 + 10 + 10 of its pixels have a step to the right or below
    # them, one of them both.
    "outline_sharpness: rectangle": (RECTANGLE, 200 * (30 + math.sqrt(2)) / 64),
    "outline_sharpness: on grey": (box(10, 19, 8, 13, ground=20.0), 180 * (30 + math.sqrt(2)) / 64),
    "outline_sharpness: none": (WHITE, 0),
    "completeness: rectangle": (RECTANGLE, 1),
    "completeness: hole": (FRAME, 84 / 100),
    "completeness: gap between legs": (U_SHAPE, (2 * 2 * 16 + 2 * 4) / (16 * 8)),
    "completeness: on its side": (U_SHAPE.T, (2 * 2 * 16 + 2 * 4) / (16 * 8)),
    "completeness: corner": (L_SHAPE, 1),
    "texture: plain": (RECTANGLE, 0),
    "texture: ramp": (RAMP, 0),
    "texture: stripes": (STRIPES, 50),  # two of four neighbours differ by 100
    "texture: stripes across": (STRIPES.T, 50),
    "symmetry: in the middle": (box(10, 19, 11, 16), 1),
    "symmetry: stands on its head": (box(3, 9, 11, 16), 1),  # up and down do not matter
    "symmetry: half over": (box(10, 19, 8, 15), 1),
    "symmetry: beside": (RECTANGLE, 1),
    "symmetry: at the edge": (box(10, 19, 0, 4), 1),
    # Sum of products with the mirror image, less that of the means, over the sum of squares less that.
    "symmetry: two tones": (TWO_TONED, (1.6e6 - 12_000**2 / 784) / (2e6 - 12_000**2 / 784)),
    "symmetry: none": (EMPTY, 0),
    "width: rectangle": (RECTANGLE, 6),
    "width: gap": (box(2, 8, 1, 3) + box(2, 8, 20, 24), 8),  # columns with garment, not the way between the ends
    "width: too faint": (FAINT, 0),
    "width: bright enough": (ENOUGH, 3),
    "width: shaded": (SHADED, 6 + 4),
    "width: shadow": (SHADOW, 6),
    "height: rectangle": (RECTANGLE, 10),
    "height: whole": (box(0, 27, 4, 5), 28),
    "height: gap": (box(2, 3, 0, 5) + box(20, 24, 0, 5), 7),
    "aspect: tall": (RECTANGLE, 10 / 6),
    "aspect: wide": (RECTANGLE.T, 6 / 10),
    "aspect: none": (EMPTY, 1),
    "area: rectangle": (RECTANGLE, 60 / 784),
    "area: hole": (FRAME, 84 / 784),
    "area: too faint": (FAINT, 0),
    "area: white": (WHITE, 1),
}


@pytest.fixture(scope="module")
def real(sample_images):
    return data.to_unit(sample_images)


@pytest.mark.parametrize("case", KNOWN)
def test_known_answers(case):
    grey, expected = KNOWN[case]
    assert ATTRIBUTES[case.partition(":")[0]](picture(grey), signed=True).tolist() == pytest.approx(
        [expected], abs=1e-4
    )


def test_every_attribute_has_a_known_answer():
    assert {case.partition(":")[0] for case in KNOWN} == set(ATTRIBUTES)


def test_measure_has_the_order_of_attributes(real):
    found = measure(real[:20])
    assert found.shape == (20, len(ATTRIBUTES))
    assert list(ATTRIBUTES) == [
        *("brightness", "contrast", "background", "outline_sharpness", "completeness", "texture"),
        *("symmetry", "width", "height", "aspect", "area"),
    ]
    for i, (name, attribute) in enumerate(ATTRIBUTES.items()):
        assert attribute is getattr(pictures, name) and attribute(real[:20]).shape == (20,)
        assert torch.equal(found[:, i], attribute(real[:20]))


def test_garments_are_measured_in_every_guise(real, sample_images, refused):
    """Before, bytes and floats from 0 to 1 were measured as if they went from -1 to 1."""
    expected, other = measure(real[:5]), real[5:10]
    u = sample_images[:5]
    for same in (u, u.numpy(), u.float() / 255, u.double().numpy()[..., None], u.flatten(1), real[:5].half()):
        torch.testing.assert_close(measure(same), expected, atol=0.05, rtol=0.02)
        torch.testing.assert_close(pictures.brightness(same), expected[:, 0], atol=0.05, rtol=0)
        assert (pictures.mean_change(same, real[:5]) < 0.05).all() and (pictures.nearest(same, real[:9])[0] < 5).all()
        assert torch.equal(pictures.levels(same), u)
        assert pictures.diversity(same).item() == pytest.approx(pictures.diversity(real[:5]).item(), abs=0.05)
    assert pictures.mean_change(u[0], other).shape == (5,)
    for wrong in (real[:5, :, :27], real[:5].repeat(1, 3, 1, 1), 2 * real[:5], "a dress", None):
        for of in (measure, pictures.levels, pictures.roughness, pictures.width):
            with refused("images"):
                of(wrong)


def test_an_image_is_measured_by_itself(real):
    together = measure(real[:8])
    for i in range(8):
        torch.testing.assert_close(measure(real[i : i + 1])[0], together[i], atol=1e-4, rtol=1e-5)


def test_measuring_changes_nothing(real):
    before = real.clone()
    measure(real)
    assert torch.equal(real, before)


def loops(grey):
    """The attributes that look at neighbours, one pixel at a time: background, outline, completeness, texture."""
    mask = grey > max(16, np.sort(grey, None)[-40] / 5)

    def around(y, x):
        return [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if 0 <= y + i < 28 and 0 <= x + j < 28]

    ground, outline, spanned, inside = [], [], 0, []
    for y in range(28):
        for x in range(28):
            near = [mask[p] for p in around(y, x)]
            if not any(near):
                ground.append(grey[y, x])
            if any(near) and not all(near):
                below, right = (grey[min(y + 1, 27), x], grey[y, min(x + 1, 27)])
                outline.append(math.hypot(below - grey[y, x], right - grey[y, x]))
            row, column = mask[y], mask[:, x]
            spanned += (row[: x + 1].any() and row[x:].any()) or (column[: y + 1].any() and column[y:].any())
            if all(near) and 0 < y < 27 and 0 < x < 27:
                inside.append(abs(grey[y, x] - (grey[y - 1, x] + grey[y + 1, x] + grey[y, x - 1] + grey[y, x + 1]) / 4))
    return [np.mean(ground or 0), np.mean(outline or 0), mask.sum() / max(spanned, 1), np.mean(inside or 0)]


@pytest.mark.parametrize("kind", ["garments", "garments with noise", "blobs"])
def test_against_loops(real, kind):
    """Pictures with a black margin, so that what lies beyond the edge of the picture does not enter."""
    torch.manual_seed(1)
    inner = {
        "garments": real[:6, :, 2:26, 2:26],
        "garments with noise": (real[6:12, :, 2:26, 2:26] + 0.3 * torch.randn(6, 1, 24, 24)).clamp(-1, 1),
        "blobs": (3 * avg_pool2d(torch.randn(6, 1, 26, 26), 3, stride=1)).clamp(-1, 1),
    }[kind]
    images = torch.nn.functional.pad(inner, (2, 2, 2, 2), value=-1.0)
    expected = [loops(grey) for grey in pictures.grey(images).numpy()]
    names = [list(ATTRIBUTES).index(name) for name in ("background", "outline_sharpness", "completeness", "texture")]
    np.testing.assert_allclose(measure(images)[:, names].numpy(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", ["empty", "white", "just too faint", "one pixel", "noise"])
def test_every_picture_has_finite_numbers(kind):
    torch.manual_seed(0)
    images = {
        "empty": picture(EMPTY),
        "white": picture(WHITE),
        "just too faint": picture(torch.full((28, 28), FLOOR)),
        "one pixel": picture(box(5, 5, 5, 5)),
        "noise": torch.rand(50, 1, 28, 28) * 2 - 1,
    }[kind]
    assert measure(images, signed=True).isfinite().all()


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "outline_sharpness"])
def test_a_mirror_changes_nothing(real, name):
    torch.testing.assert_close(ATTRIBUTES[name](real.flip(3)), ATTRIBUTES[name](real), atol=1e-4, rtol=1e-5)


def test_a_mirror_changes_the_outline_little(real):
    """The gradient looks right and down, so single pictures differ by a few grey levels."""
    difference = pictures.outline_sharpness(real.flip(3)) - pictures.outline_sharpness(real)
    assert difference.abs().mean() < 3 and difference.mean().abs() < 0.6


def test_a_plain_garment_has_no_texture_at_the_edge_of_the_picture():
    assert pictures.texture(picture(WHITE), signed=True).item() == pytest.approx(0, abs=1e-4)


# ----- what each reacts to, on real garments


def blurred(images):
    return avg_pool2d(torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def test_blur(real):
    before, after = measure(real), measure(blurred(real))
    i = {name: list(ATTRIBUTES).index(name) for name in ATTRIBUTES}
    assert after.isfinite().all()
    assert (after < before)[:, i["outline_sharpness"]].float().mean() > 0.99
    assert after[:, i["outline_sharpness"]].mean() < 0.8 * before[:, i["outline_sharpness"]].mean()
    assert after[:, i["texture"]].mean() < 0.8 * before[:, i["texture"]].mean()
    assert (after < before)[:, i["contrast"]].float().mean() > 0.95
    torch.testing.assert_close(after[:, i["brightness"]], before[:, i["brightness"]], rtol=0.06, atol=1.0)


def test_noise(real):
    torch.manual_seed(0)
    noisy = (real + 0.2 * torch.randn_like(real)).clamp(-1, 1)
    assert (pictures.texture(noisy) > pictures.texture(real))[pictures.area(real) > 0.2].float().mean() > 0.95
    assert (pictures.background(noisy) > pictures.background(real)).float().mean() > 0.95
    assert pictures.symmetry(noisy).mean() < pictures.symmetry(real).mean()


def test_more_light(real):
    light = (real + 0.2).clamp(max=1)
    assert (pictures.brightness(light) > pictures.brightness(real)).all()
    assert (pictures.area(light) >= pictures.area(real)).all()
    torch.testing.assert_close(pictures.contrast(0.5 * real), 0.5 * pictures.contrast(real))


def test_squeezed(real):
    """Every second column alone, in the middle of a black picture: half as wide, twice the aspect."""
    narrow = torch.nn.functional.pad(real[..., ::2], (7, 7), value=-1.0)
    wide = pictures.width(real) >= 10
    assert 0.45 < (pictures.width(narrow) / pictures.width(real))[wide].mean() < 0.55
    assert 1.8 < (pictures.aspect(narrow) / pictures.aspect(real))[wide].mean() < 2.2


@pytest.mark.parametrize("name", ["completeness", "width", "height", "aspect", "area", "symmetry"])
def test_light_does_not_matter(real, name):
    """The same garment at half the brightness, black staying black: the region of the garment stays what it is."""
    bright, dark = ATTRIBUTES[name](real), ATTRIBUTES[name]((real + 1) / 2 - 1)
    assert (dark - bright).abs().mean() < 0.015 * bright.abs().mean()


def test_a_garment_without_holes_is_complete(real):
    """Before the level was the garment's own, one in eight of these pictures was below 0.7."""
    assert (pictures.completeness(real) < 0.7).float().mean() < 0.06


def test_place_does_not_matter_to_symmetry(real):
    moved = torch.nn.functional.pad(real, (2, 0), value=-1.0)[..., :28]
    fits = (real[..., -2:] == -1).all((1, 2, 3))  # nothing of it is lost
    assert fits.sum() > 50
    torch.testing.assert_close(pictures.symmetry(moved[fits]), pictures.symmetry(real[fits]), atol=1e-4, rtol=0)


def test_symmetry_against_loops(real):
    for image, found in zip(real[:12], pictures.symmetry(real[:12]), strict=True):
        grey = ((image[0] + 1) * 127.5).double().numpy()
        rows, columns = np.nonzero(grey > max(16, np.sort(grey, None)[-40] / 5))
        twice = round(2 * columns.mean())
        mirrored = np.stack([grey[:, (twice - x) % 28] for x in range(28)], 1)
        assert found.item() == pytest.approx(np.corrcoef(grey.ravel(), mirrored.ravel())[0, 1], abs=1e-4)


# ----- how many of them are independent


def planted(*groups):
    """Columns of 4,000 rows: those with the same number rise and fall together, None is always the same."""
    torch.manual_seed(3)
    sources = torch.randn(4000, 11)
    columns = [torch.ones(4000) if g is None else sources[:, g].mul(1 + i).exp() for i, g in enumerate(groups)]
    return torch.stack(columns, 1)


@pytest.mark.parametrize(
    ("groups", "rank"),
    [
        ((0,) * 11, 1),
        (tuple(range(11)), 11),
        ((0, 0, 1, 1, 2, 2, 3, 3, 4, 4, None), 5),
        ((0,) * 5 + (1,) * 5 + (None,), 2),
        ((None,) * 10 + (0,), 1),
        ((None,) * 11, 0),
    ],
    ids=str,
)
def test_the_number_of_independent_attributes(groups, rank):
    found, names = independent(planted(*groups))
    assert found == pytest.approx(rank, rel=0.02) and len(names) == rank
    assert len({groups[list(ATTRIBUTES).index(name)] for name in names} - {None}) == rank  # one of each group


def test_effective_rank_against_numpy(real):
    """Spearman's correlations with mean ranks for ties, their eigenvalues, and no help from the module."""
    measured = measure(real)
    ranks = np.array([[(c < x).sum() + (c == x).sum() / 2 for x in c] for c in measured.T.double().numpy()])
    values = np.linalg.eigvalsh(np.corrcoef(ranks))
    found, names = independent(measured)
    assert found == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-6)
    assert 3 < found < 6 and len(set(names)) == round(found)
