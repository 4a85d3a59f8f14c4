"""EMNIST letters, capital and small in one class (Cohen et al. 2017)."""

from .registry import Dataset, Files, register

FILES = {
    split: Files(f"emnist-letters-{split}-images-idx3-ubyte", f"emnist-letters-{split}-labels-idx1-ubyte")
    for split in ("train", "test")
}


def _mirror() -> str:
    from torchvision.datasets import EMNIST

    raise OSError(f"its files are published in one archive alone: unpack {EMNIST.url} (535 MB)")


EMNIST_LETTERS = register(
    Dataset(
        name="emnist_letters",
        title="EMNIST letters",
        source="Cohen, Afshar, Tapson and van Schaik 2017, NIST",
        classes=tuple("abcdefghijklmnopqrstuvwxyz"),
        splits=FILES,
        digests={  # of the .gz files in the published archive; digests of the content are not known to us
            FILES["train"].images: "md5:8795078f199c478165fe18db82625747",
            FILES["train"].labels: "md5:c16de4f1848ddcdddd39ab65d2a7be52",
            FILES["test"].images: "md5:382093a19703f68edac6d01b8dfdfcad",
            FILES["test"].labels: "md5:d4108920cd86601ec7689a97f2de7f59",
        },
        mirror=_mirror,
        sizes={"train": 124_800, "test": 20_800},
        noun="letter",
        folders=("emnist_letters", "gzip", "EMNIST/raw"),
        lowest=1,
        transposed=True,
        largest=97_843_216,
    )
)
