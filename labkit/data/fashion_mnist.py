"""Fashion-MNIST (Xiao et al. 2017)."""

from .registry import Dataset, Files, register


def _mirror() -> str:
    from torchvision.datasets import FashionMNIST

    return FashionMNIST.mirrors[0]


FASHION_MNIST = register(
    Dataset(
        name="fashion_mnist",
        title="Fashion-MNIST",
        source="Xiao, Rasul and Vollgraf 2017, Zalando SE, MIT licence",
        classes=(
            *("T-shirt", "trouser", "pullover", "dress", "coat"),
            *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
        ),
        splits={
            "train": Files("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
            "test": Files("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        },
        digests={
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        images_sha256="2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        mirror=_mirror,
        noun="garment",
        mirrored=True,
        package="dataset-fashion-mnist",
        system="fashion-mnist",
        folders=("FashionMNIST/raw", "raw"),  # of torchvision
        packed={
            "train-images-idx3-ubyte": 26_421_880,
            "train-labels-idx1-ubyte": 29_515,
            "t10k-images-idx3-ubyte": 4_422_102,
            "t10k-labels-idx1-ubyte": 5_148,
        },
    )
)
