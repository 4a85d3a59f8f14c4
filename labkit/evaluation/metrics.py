"""Scores of a set of features against another, each from its paper.

Frechet and kernel distance come from torchmetrics; the others, which no library offers for features of one's own
without running its own loaders, are written out here. The tests hold them against independent implementations.
"""

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..base.doors import whole
from ..base.errors import LabError
from ..base.machine import import_whole
from ..base.rng import seeded

SUBSETS, SUBSET = 50, 1000  # of the kernel distance
DROPPED = 0.01  # a class with a smaller share than this (a tenth is fair) counts as dropped
FOLDS = 5  # of the two-sample classifier
FEWEST = 10  # images of a cell that the test of data copying needs


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared 2-Wasserstein distance between Gaussians fitted to features (n, d) and (m, d) (Heusel et al. 2017)."""
    import_whole("torchmetrics.image.fid")
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(_Given(_checked(a, b, least=2)), normalize=True).set_dtype(torch.float64)
    metric.update(a.double(), real=True)
    metric.update(b.double(), real=False)
    return metric.compute().item()


def frechet_infinity(real: Tensor, fake: Tensor, points: int = 8, least: int = 1000) -> float:
    """The Frechet distance for infinitely many images of either set (Chong and Forsyth 2020): it depends on no n.

    A line in 1 / n through the distances of ``points`` random parts of both sets, of ``least`` images up to all of
    them; its value at 0. ``real`` (n, d) and ``fake`` (m, d): the smaller set decides how far the line reaches.
    """
    most = min(len(real), len(fake))
    if most < 2 * least:
        raise LabError(f"{most} images: to extrapolate from {least} takes at least {2 * least}")
    sizes = (1 / torch.linspace(1 / least, 1 / most, points, dtype=torch.float64)).round().long()
    with seeded("infinity"):
        distances = [
            frechet_distance(real[torch.randperm(len(real))[:n]], fake[torch.randperm(len(fake))[:n]])
            for n in sizes.tolist()
        ]
    line = torch.stack([torch.ones(points, dtype=torch.float64), 1 / sizes], 1)
    return torch.linalg.lstsq(line, torch.tensor(distances, dtype=torch.float64)).solution[0].item()


def kernel_distance(a: Tensor, b: Tensor, seed: int = 0) -> tuple[float, float]:
    """Unbiased squared MMD with the cubic kernel (Binkowski et al. 2018): mean and deviation over random subsets."""
    import_whole("torchmetrics.image.kid")
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(SUBSET, len(a), len(b))
    with warnings.catch_warnings(action="ignore"):  # that it keeps the features
        metric = KernelInceptionDistance(
            _Given(_checked(a, b, least=2)), subsets=SUBSETS, subset_size=size, normalize=True
        )
    metric.update(a, real=True)
    metric.update(b, real=False)
    with seeded(whole("seed", seed), "subsets"):
        mean, deviation = metric.compute()
    return mean.item(), deviation.item()


class _Given(nn.Module):
    """Tells torchmetrics that its images are features already."""

    def __init__(self, width: int):
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        return features


def _checked(*sets: Tensor, least: int) -> int:
    """The width that all ``sets`` of features (n, d) share."""
    for features in sets:
        if features.dim() != 2 or features.shape[1] != sets[0].shape[1] or len(features) < least:
            raise LabError(
                f"features of shape {tuple(features.shape)}: "
                f"a score takes (n, {sets[0].shape[-1]}) with n of at least {least}"
            )
        if not features.isfinite().all():
            raise LabError("a feature is not finite: no score")
    return sets[0].shape[1]


def median_distance(features: Tensor, most: int = 2000) -> float:
    """Median Euclidean distance between two of the first ``most`` of ``features`` (n, d): a width for a kernel."""
    _checked(features, least=2)
    return torch.pdist(features[:most]).median().item()


def rbf_distance(a: Tensor, b: Tensor, width: float) -> float:
    """Unbiased squared MMD of features (n, d) and (m, d) with the kernel exp(-distance^2 / (2 width^2)).

    Gretton et al. 2012, the U-statistic. Unlike the cubic kernel it sees more than a shift of the mean. Around 0, and
    also a little below, for equal distributions; at most 2.
    """
    _checked(a, b, least=2)
    if not width > 0:
        raise LabError(f"width = {width}: the kernel of a set of equal images has none")
    centre = a.mean(0)
    a, b = (a - centre) / width, (b - centre) / width
    across = sum(rows.sum(dtype=torch.float64).item() for rows in _kernel_rows(a, b))
    return _mean_within(a) + _mean_within(b) - 2 * across / len(a) / len(b)


def _kernel_rows(a: Tensor, b: Tensor, chunk: int = 500) -> Iterator[Tensor]:
    """exp(-distance^2 / 2), ``chunk`` of ``a`` at a time against all of ``b``."""
    halves = b.square().sum(1) / 2
    for part in a.split(chunk):
        rows = torch.addmm(-halves, part, b.T).sub_(part.square().sum(1, keepdim=True) / 2)
        yield rows.clamp_(max=0).exp_()


def _mean_within(a: Tensor, chunk: int = 500) -> float:
    """Mean of the kernel over all pairs of two different ones of ``a`` (n, d): each pair is computed once."""
    total = 0.0
    for start in range(0, len(a), chunk):
        part = a[start : start + chunk]
        (rows,) = _kernel_rows(part, a[start:], chunk)
        square = rows[:, : len(part)]
        total += (
            2 * rows[:, len(part) :].sum(dtype=torch.float64)
            + square.sum(dtype=torch.float64)
            - square.diagonal().sum(dtype=torch.float64)
        ).item()
    return total / len(a) / (len(a) - 1)


def _squares(a: Tensor, b: Tensor, chunk: int = 500) -> Iterator[Tensor]:
    """Squared Euclidean distances in float64, in rows, ``chunk`` of ``a`` at a time against all of ``b``."""
    centre = b.double().mean(0)
    a, b = a.double() - centre, b.double() - centre
    norms = b.square().sum(1)
    for part in a.split(chunk):
        yield torch.addmm(norms, part, b.T, alpha=-2).add_(part.square().sum(1, keepdim=True)).clamp_(min=0)


def _edges(radii_of: Tensor, features: Tensor) -> Tensor:
    """Squares up to which a squared distance is inside ``radii_of`` (n,), kept in float32: the edge belongs to a ball.

    The second term is the rounding of `_squares`: equal ``features`` are at distance 0.
    """
    scale = (features.double() - features.double().mean(0)).square().sum(1).max()
    return radii_of.double().square() * (1 + 2e-7) + 1e-12 * scale


def radii(features: Tensor, ks: tuple[int, ...]) -> Tensor:
    """Distance of each of ``features`` (n, d) to its k-th nearest other one, (len(ks), n)."""
    _checked(features, least=max(ks) + 1)
    nearest = torch.cat([rows.topk(max(ks) + 1, largest=False).values for rows in _squares(features, features)])
    return nearest[:, list(ks)].T.sqrt().float()  # column 0 is the image itself


def nearest_distances(a: Tensor, b: Tensor, others: bool = False) -> Tensor:
    """Euclidean distance of each of ``a`` (n, d) to the nearest of ``b`` (m, d), (n,), in float32 arithmetic.

    With ``others``, ``a`` is a part of ``b`` and the nearest other one is meant: the second nearest.
    """
    _checked(a, b, least=1 + others)
    return torch.cat([torch.cdist(part, b).topk(1 + others, largest=False).values[:, -1] for part in a.split(500)])


def manifold_scores(
    real: Tensor, fake: Tensor, k: int = 3, k_density: int = 5, real_radii: Tensor | None = None
) -> dict[str, float]:
    """Precision and recall (Kynkaanniemi et al. 2019, k = 3), density and coverage (Naeem et al. 2020, k = 5).

    Precision: share of ``fake`` inside a ball of a real image; recall: the other way round. Density: how many real
    balls hold a fake image, over k; coverage: share of real balls that hold one. A ball reaches to the k-th
    neighbour, its edge included.
    """
    _checked(real, fake, least=max(k, k_density) + 1)
    real_radii = radii(real, (k, k_density)) if real_radii is None else real_radii
    fake_radii = radii(fake, (k,))[0]
    both = torch.cat([real, fake])
    near, far = (_edges(r, both)[:, None] for r in real_radii)
    reach = _edges(fake_radii, both)
    inside, balls = torch.zeros(len(fake), dtype=torch.bool), 0
    holds, recalled = [], []
    for start, rows in zip(range(0, len(real), 500), _squares(real, fake), strict=True):  # (chunk, n_fake)
        here = slice(start, start + len(rows))
        inside |= (rows <= near[here]).any(0)
        held = (rows <= far[here]).sum(1)
        balls += int(held.sum())
        holds.append(held > 0)
        recalled.append((rows <= reach).any(1))
    return {
        "precision": inside.float().mean().item(),
        "recall": torch.cat(recalled).float().mean().item(),
        "density": balls / len(fake) / k_density,
        "coverage": torch.cat(holds).float().mean().item(),
    }


def class_scores(probabilities: Tensor, reference: Tensor) -> dict[str, float]:
    """From probabilities (n, 10): the histogram of classes against ``reference`` (10,), and how many are missing.

    The divergence is Jensen and Shannon's, in bits: 0 for equal histograms, 1 for disjoint ones.
    """
    histogram = probabilities.argmax(1).bincount(minlength=probabilities.shape[1]) / len(probabilities)
    middle = (histogram + reference) / 2

    def kl(p):
        return torch.where(p > 0, p * (p / middle).log2(), 0.0).sum()

    return {
        "class_js": ((kl(histogram) + kl(reference)) / 2).item(),
        "dropped_classes": int((histogram < DROPPED).sum()),
    }


def neighbour_ratio(images: Tensor, seen: Tensor, unseen: Tensor) -> float:
    """Mean distance of ``images`` to the nearest training image ``seen``, over that to the nearest ``unseen`` one.

    Pixels, (n, 1, 28, 28) each; ``seen`` and ``unseen`` must be as many, or the larger set is nearer by numbers alone.
    1 is no memorisation; copies of training images give less.
    """
    if len(seen) != len(unseen):
        raise LabError(f"{len(seen)} seen and {len(unseen)} unseen images: the ratio needs as many of each")
    near, far = (
        (torch.cat([torch.cdist(p, s).amin(1) for p in images.flatten(1).split(1000)])).mean()
        for s in (seen.flatten(1), unseen.flatten(1))
    )
    return (near / far).item()


def principal_axes(images: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Mean (d,) and first ``k`` principal axes (d, k) of ``images``, uint8 (n, ...) of d pixels: grey levels.

    Sums of whole numbers in float64 are exact, so the order of the images decides nothing. The largest entry of an axis
    is positive.
    """
    pixels = images.flatten(1)
    total = torch.zeros(pixels.shape[1], dtype=torch.float64)
    products = torch.zeros(pixels.shape[1], pixels.shape[1], dtype=torch.float64)
    for part in pixels.split(5000):
        total += part.double().sum(0)
        products += part.double().T @ part.double()
    mean = total / len(pixels)
    axes = torch.linalg.eigh(products / len(pixels) - mean.outer(mean)).eigenvectors[:, -k:].flip(1)
    return mean, axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()


def superiority(a: Tensor, b: Tensor) -> float:
    """Probability that one of the values ``b`` (m,) is above one of ``a`` (n,); equal ones count half.

    The area under the ROC curve, and Mann and Whitney's U over n m.
    """
    a = a.sort().values
    ranks = torch.searchsorted(a, b) + torch.searchsorted(a, b, right=True)
    return ranks.double().mean().item() / 2 / len(a)


def folds(n: int) -> Tensor:
    """Which of `FOLDS` equal parts each of ``n`` images belongs to, (n,): a permutation that depends on n alone."""
    with seeded("folds"):
        return torch.randperm(n) % FOLDS


def two_sample_auc(a: Tensor, b: Tensor) -> float:
    """Area under the ROC curve of Fisher's linear discriminant between features (n, d) and (m, d), cross-validated.

    Mean over `FOLDS`, each judged by the discriminant of the other folds. 0.5: a line cannot tell the sets apart;
    1: it can always (Lopez-Paz and Oquab 2017 with a linear classifier).
    """
    _checked(a, b, least=2 * FOLDS)
    features = torch.cat([a, b]).double()
    is_b, fold = torch.arange(len(features)) >= len(a), folds(len(features))
    areas = []
    for k in range(FOLDS):
        left, right = (features[(fold != k) & (is_b == side)] for side in (False, True))
        shift, held = right.mean(0) - left.mean(0), fold == k
        scatter = sum(len(part) * part.T.cov(correction=0) for part in (left, right)) / (len(left) + len(right))
        axis = torch.linalg.pinv(scatter, hermitian=True, rtol=1e-8) @ shift
        areas.append(superiority(features[held & ~is_b] @ axis, features[held & is_b] @ axis))
    return sum(areas) / FOLDS


def ks_distance(a: Tensor, b: Tensor) -> float:
    """Kolmogorov's distance: the largest difference of the shares of ``a`` (n,) and of ``b`` (m,) up to any value."""
    every = torch.cat([a, b])
    shares = (torch.searchsorted(x.sort().values, every, right=True).double() / len(x) for x in (a, b))
    return torch.sub(*shares).abs().max().item()


def copying_test(fake: Tensor, unseen: Tensor, fake_cells: Tensor, unseen_cells: Tensor) -> float:
    """C_T, the test of data copying (Meehan, Chaudhuri, Dasgupta 2020), as a standard normal z: negative means copies.

    ``fake`` (n,) and ``unseen`` (m,) are distances of generated and of unseen real images to their nearest training
    image; their cells, (n,) and (m,), are numbers from 0. In each cell Mann and Whitney's z, positive if generated
    images are the farther ones; their mean is weighted by the share of unseen images. The paper's C_T is that mean;
    here it is over its deviation for equal distributions, sqrt(sum of squared weights). Cells with fewer than `FEWEST`
    images of either kind are left out; 0 if all are.
    """
    total, squares = 0.0, 0.0
    for cell in range(int(unseen_cells.max()) + 1):
        mine, theirs = fake[fake_cells == cell], unseen[unseen_cells == cell]
        n, m = len(mine), len(theirs)
        if min(n, m) >= FEWEST:
            total += m * (superiority(theirs, mine) - 0.5) * (12 * n * m / (n + m + 1)) ** 0.5
            squares += m**2
    return total / squares**0.5 if squares else 0.0
