"""Walks against the plain interpolation, and the classes of their pictures."""

import torch

from labkit import latent
from labkit.analysis.walks import walks
from labkit.evaluation.classifier import load_classifier
from labkit.gans import GANS


def test_a_walk_is_sampled_along_the_great_circle_and_classified():
    torch.manual_seed(0)
    g, ruler = GANS["vanilla"].generator(100).eval(), load_classifier()[0]
    z = latent.latents(6, 100, 3)
    images, classes = walks(g, z, ruler, steps=5)
    assert images.shape == (3, 5, 1, 28, 28) and classes.shape == (3, 5)
    for w in range(3):
        way = latent.interpolate(z[2 * w], z[2 * w + 1], 5)
        torch.testing.assert_close(images[w], latent.sample(g, way))
        assert torch.equal(classes[w], ruler.measure(images[w], signed=True)[1].argmax(1))
        torch.testing.assert_close(images[w, [0, -1]], latent.sample(g, z[2 * w : 2 * w + 2]))
