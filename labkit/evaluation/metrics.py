"""Scores of a set of features against another, each from its paper.

Frechet and kernel distance come from torchmetrics; the others, which no library offers for features of one's own
without running its own loaders, are written out here.
"""

import warnings

import torch
from torch import Tensor, nn

from ..base.errors import LabError
from ..base.rng import seeded

SUBSETS, SUBSET = 50, 1000  # of the kernel distance
DROPPED = 0.01  # a class with a smaller share than this (a tenth is fair) counts as dropped


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared 2-Wasserstein distance between Gaussians fitted to features (n, d) and (m, d) (Heusel et al. 2017)."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(_Given(_checked(a, b, least=2)), normalize=True).set_dtype(torch.float64)
    metric.update(a.double(), real=True)
    metric.update(b.double(), real=False)
    return metric.compute().item()


def kernel_distance(a: Tensor, b: Tensor, seed: int = 0) -> tuple[float, float]:
    """Unbiased squared MMD with the cubic kernel (Binkowski et al. 2018): mean and deviation over random subsets."""
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(SUBSET, len(a), len(b))
    with warnings.catch_warnings(action="ignore"):  # that it keeps the features
        metric = KernelInceptionDistance(
            _Given(_checked(a, b, least=2)), subsets=SUBSETS, subset_size=size, normalize=True
        )
    metric.update(a, real=True)
    metric.update(b, real=False)
    with seeded(seed, "subsets"):
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


def _distances(a: Tensor, b: Tensor, chunk: int = 500):
    """Euclidean distances in rows, ``chunk`` of ``a`` at a time against all of ``b``: exact, so that equal means 0."""
    for part in a.split(chunk):
        yield torch.cdist(part, b, compute_mode="donot_use_mm_for_euclid_dist")


def radii(features: Tensor, ks: tuple[int, ...]) -> Tensor:
    """Distance of each of ``features`` (n, d) to its k-th nearest other one, (len(ks), n)."""
    _checked(features, least=max(ks) + 1)
    nearest = torch.cat([rows.topk(max(ks) + 1, largest=False).values for rows in _distances(features, features)])
    return nearest[:, list(ks)].T  # column 0 is the image itself


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
    inside = torch.zeros(len(fake), dtype=torch.bool)
    balls, holds, recalled = torch.zeros(len(fake)), [], []
    for start, rows in zip(range(0, len(real), 500), _distances(real, fake), strict=True):  # (chunk, n_fake)
        here = slice(start, start + len(rows))
        inside |= (rows <= real_radii[0, here, None]).any(0)
        balls += (rows <= real_radii[1, here, None]).sum(0)
        holds.append((rows <= real_radii[1, here, None]).any(1))
        recalled.append((rows <= fake_radii).any(1))
    return {
        "precision": inside.float().mean().item(),
        "recall": torch.cat(recalled).float().mean().item(),
        "density": balls.mean().item() / k_density,
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
