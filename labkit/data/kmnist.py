"""Kuzushiji-MNIST, characters of old Japanese handwriting (Clanuwat et al. 2018)."""

from .registry import Dataset, Files, register


def _mirror() -> str:
    from torchvision.datasets import KMNIST

    return KMNIST.mirrors[0]


KMNIST = register(
    Dataset(
        name="kmnist",
        title="Kuzushiji-MNIST",
        source="Clanuwat et al. 2018, CODH, CC BY-SA 4.0",
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        splits={
            "train": Files("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
            "test": Files("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        },
        digests={  # of the archives, as torchvision lists them; digests of the content are not known to us
            "train-images-idx3-ubyte": "md5:bdb82020997e1d708af4cf47b453dcf7",
            "train-labels-idx1-ubyte": "md5:e144d726b3acfaa3e44228e80efcd344",
            "t10k-images-idx3-ubyte": "md5:5c965bf0a639b31b8f53240b1b52f4d7",
            "t10k-labels-idx1-ubyte": "md5:7320c461ea6c1c855c0b718fb2a4b134",
        },
        mirror=_mirror,
        noun="character",
        place="kmnist",
        folders=("KMNIST/raw",),  # of torchvision
        packed={"train-images-idx3-ubyte": 20_000_000},  # about
    )
)
