"""MNIST, handwritten digits (LeCun et al. 1998)."""

from .registry import Dataset, Files, register


def _mirror() -> str:
    from torchvision.datasets import MNIST

    return MNIST.mirrors[0]


MNIST = register(
    Dataset(
        name="mnist",
        title="MNIST",
        source="LeCun, Bottou, Bengio and Haffner 1998",
        classes=tuple("0123456789"),
        splits={
            "train": Files("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
            "test": Files("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        },
        digests={
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        images_sha256="741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        mirror=_mirror,
        noun="digit",
        place="mnist",
        folders=("MNIST/raw",),  # of torchvision
        packed={
            "train-images-idx3-ubyte": 9_912_422,
            "train-labels-idx1-ubyte": 28_881,
            "t10k-images-idx3-ubyte": 1_648_877,
            "t10k-labels-idx1-ubyte": 4_542,
        },
    )
)
