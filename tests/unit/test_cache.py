"""What is kept comes back, whatever lies beside it."""

import torch

from labkit.base import cache
from labkit.latent import latents


def test_what_is_kept_comes_back_in_any_layout(tmp_path):
    z = latents(4, 6)
    cache.save(tmp_path / "new", "thing", (1, "a"), {"turned": z.T, "part": z[:, ::2], "number": torch.tensor(3.0)})
    back = cache.load(tmp_path / "new", "thing", (1, "a"))
    assert torch.equal(back["turned"], z.T) and torch.equal(back["part"], z[:, ::2]) and back["number"] == 3


def test_a_damaged_file_does_not_hide_a_sound_one(tmp_path):
    """As after a measurement on another machine, whose last bits and so whose name differ."""
    for value in (1.0, 2.0):
        cache.save(tmp_path, "thing", (), {"value": torch.tensor(value)})
    contents = {path: path.read_bytes() for path in tmp_path.glob("thing-*")}
    assert len(contents) == 2
    for damaged, whole in contents.items():
        damaged.write_bytes(whole[:-1])
        assert cache.load(tmp_path, "thing", ())["value"] in (1, 2)
        damaged.write_bytes(whole)
