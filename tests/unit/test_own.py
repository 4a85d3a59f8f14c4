"""Pictures of the reader's own become a data set whole, as said, and by its name; what is none is refused in a line."""

import dataclasses
import gzip
import hashlib
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from sample_data import with_digests

from labkit import cli, data
from labkit.base import paths
from labkit.base.files import sha256
from labkit.config import config_for
from labkit.data import brought, convert, kinds, loading


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Where data sets of one's own are kept."""
    monkeypatch.setattr(paths, "OWN", tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def garments(sample_images):
    """Real pictures, uint8 (n, 28, 28)."""
    return sample_images.numpy()


@pytest.fixture
def sample_labels(sample_folder, sample_digests):
    """The classes of the garments, (n,)."""
    return data.load("train", folder=sample_folder, dataset=with_digests(sample_digests))[1]


@pytest.fixture
def album(tmp_path, garments):
    """``album(n, make, name)``: a folder of the first ``n`` garments as PNG files, each as ``make(i, picture)``."""

    def write(n=260, make=lambda i, picture: picture, name="album"):
        folder = tmp_path / name
        for i in range(n):
            path = folder / f"{i:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            make(i, Image.fromarray(garments[i])).save(path)
        return folder

    return write


def nothing_there(place):
    return not place.exists() or not any(place.rglob("*.*"))


# ----- a folder


def test_pictures_as_they_are_come_back_as_they_were(album, garments, capsys, place):
    """260 garments of 28 x 28: the very pixels, each once, in one of two splits that are the same every time."""
    folder = album()
    record = data.bring(folder)
    said = capsys.readouterr().out
    assert record == data.find("album") and record.sizes == {"train": 173, "test": 87} and not record.labelled
    both = torch.cat([data.load(split, dataset="album")[0] for split in ("train", "test")])
    assert {one.tobytes() for one in both.numpy()} == {one.tobytes() for one in garments[:260]}
    assert "260 pictures" in said and "28 x 28 pixels" in said and str(place / "album/contact.png") in said
    assert all(f"kind {k + 1}" == name for k, name in enumerate(record.classes)) and 2 <= len(record.classes) <= 10
    assert record.images_sha256 == sha256(data.load("train", dataset="album")[0].numpy().tobytes())
    with Image.open(place / "album/contact.png") as sheet:
        assert sheet.height > 28 * len(record.classes) and np.asarray(sheet).std() > 20
    before = {path.name: path.read_bytes() for path in (place / "album").iterdir()}
    assert data.bring(folder) == record  # again: the same
    assert {path.name: path.read_bytes() for path in (place / "album").iterdir()} == before


def test_folders_are_classes_and_each_is_in_both_splits(album, capsys):
    folder = album(260)
    for i, path in enumerate(sorted(folder.glob("*.png"))):
        there = folder / ("b <i>|b" if i < 20 else "a") / "deeper" / path.name
        there.parent.mkdir(parents=True, exist_ok=True)
        path.rename(there)
    record = data.bring(folder, "My Shoes!")
    assert record.name == "my_shoes" and record.labelled and record.classes == ("a", "b _i__b")
    train, test = (data.load(split, dataset="my-shoes")[1].bincount().tolist() for split in ("train", "test"))
    assert [a + b for a, b in zip(train, test, strict=True)] == [240, 20] and min(test) >= 6
    assert "2 classes: a, b <i>|b" in capsys.readouterr().out


def test_train_and_test_are_no_classes(album, capsys):
    folder = album(260)
    for i, path in enumerate(sorted(folder.glob("*.png"))):
        there = folder / ("train" if i % 3 else "test") / f"class {i % 2}" / path.name
        there.parent.mkdir(parents=True, exist_ok=True)
        path.rename(there)
    assert data.bring(folder).classes == ("class 0", "class 1")
    assert "taken together" in capsys.readouterr().out


def test_what_is_done_with_other_sizes_and_modes(tmp_path):
    """Proportions are kept, EXIF is heeded, 16 bits are 16 bits, what is transparent has a ground."""

    def made(picture, **options):
        path = tmp_path / "one.png"
        picture.save(path, **options)
        return convert.small(convert.read_picture(path))

    wide = Image.new("RGB", (112, 28), "black")
    wide.paste("white", (4, 4, 108, 24))
    images, light = made(wide)
    rows = images[0].max(1) > 60
    assert light is None and rows.nonzero()[0].tolist() == list(range(11, 16)) and images[0][5].max() == 0
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right
    assert np.abs(made(wide, exif=turned)[0][0].astype(int) - images[0].T).max() < 30
    deep = Image.fromarray(np.full((28, 28), 257 * 100, np.uint16))
    assert (made(deep)[0] == 100).all()
    clear = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    clear.paste((200, 200, 200, 255), (7, 7, 21, 21))
    (white, black), light = made(clear)
    assert (
        light == pytest.approx(200)
        and white[0, 0] == 255
        and black[0, 0] == 0
        and white[14, 14] == black[14, 14] == 200
    )
    tiny = made(Image.new("L", (3, 3), 77))[0]
    assert (tiny == 77).all()


@pytest.mark.parametrize(("paper", "done"), [("white", "inverted"), ("black", "")])
def test_dark_on_white_is_inverted_and_said(album, garments, paper, done, capsys):
    def drawn(i, picture):
        return picture if paper == "black" else Image.fromarray(255 - np.asarray(picture))

    data.bring(album(260, drawn))
    assert ("all were inverted" in capsys.readouterr().out) == bool(done)
    both = torch.cat([data.load(split, dataset="album")[0] for split in ("train", "test")])
    assert {one.tobytes() for one in both.numpy()} == {one.tobytes() for one in garments[:260]}


@pytest.mark.parametrize(("inverted", "said"), [(50, "50 are light"), (210, "50 are light"), (5, ""), (0, "")])
def test_pictures_of_both_grounds_are_counted(album, inverted, said, capsys):
    """All are inverted or none, so those of the other ground stay as they are."""

    def drawn(i, picture):
        return picture if i >= inverted else Image.fromarray(255 - np.asarray(picture))

    data.bring(album(260, drawn))
    out = capsys.readouterr().out
    assert said in out and ("all around even so" in out) == bool(said)
    assert ("all were inverted" in out) == (inverted > 130)


@pytest.mark.parametrize(("level", "ground"), [(240, "black"), (10, "white")])
def test_the_ground_of_what_is_transparent_is_what_it_stands_out_from(album, garments, level, ground, capsys):
    def icon(i, picture):
        one = Image.new("LA", picture.size, (level, 0))
        one.putalpha(picture)
        return one

    data.bring(album(260, icon))
    said = capsys.readouterr().out
    assert f"were put on a {ground}" in said.replace(f"put on {ground}", f"put on a {ground}")
    first = data.load("train", dataset="album")[0].float()
    assert first[:, 0].median() == 0 and first.amax((1, 2)).median() > 200  # bright on black, either way


# ----- arrays


def test_an_npz_with_labels(tmp_path, garments, sample_labels):
    """Also as Keras has it, and as colours of another size."""
    np.savez(tmp_path / "one.npz", images=garments, labels=sample_labels.numpy())
    record = data.bring(tmp_path / "one.npz")
    assert record.classes == tuple("0123456789") and record.labelled
    images, labels = data.load("train", dataset="one")
    known = {one.tobytes(): int(label) for one, label in zip(garments, sample_labels, strict=True)}
    assert [known[one.tobytes()] for one in images.numpy()] == labels.tolist()
    y = sample_labels.numpy()
    np.savez(tmp_path / "keras.npz", x_train=garments[:400], y_train=y[:400], x_test=garments[400:], y_test=y[400:])
    assert data.bring(tmp_path / "keras.npz").file_sha256 == record.file_sha256
    large = np.repeat(np.repeat(garments[..., None], 2, 1), 2, 2).repeat(3, 3)
    np.savez(tmp_path / "large.npz", x=large / np.float32(255))
    data.bring(tmp_path / "large.npz")
    close = data.load("train", dataset="large")[0].float()
    assert close.shape[1:] == (28, 28) and abs(close.mean() - garments.mean()) < 3


BAD = {
    "no images": (lambda p, x: np.savez(p, weights=x), "no images among weights"),
    "objects": (lambda p, x: np.savez(p, images=np.array([{}] * 300)), "no .npz of numbers"),
    "not finite": (lambda p, x: np.savez(p, images=np.full((300, 32, 32), np.nan)), "nan"),
    "not finite, 28": (lambda p, x: np.savez(p, images=np.full((300, 28, 28), np.nan)), "not finite"),
    "beyond": (lambda p, x: np.savez(p, images=np.full((300, 32, 32), 300.0)), "from 300 to 300"),
    "flat": (lambda p, x: np.savez(p, images=np.zeros(300)), "give pictures"),
    "none": (lambda p, x: np.savez(p, images=np.zeros((0, 28, 28))), "give"),
    "two sizes": (lambda p, x: np.savez(p, x_train=x, x_test=x[:, 1:]), "no .npz of numbers"),
    "labels": (lambda p, x: np.savez(p, images=x, labels=np.eye(len(x))), "labels are"),
    "few": (lambda p, x: np.savez(p, images=x[:255]), "255 different pictures", "256"),
    "the same": (lambda p, x: np.savez(p, images=np.repeat(x[:20], 20, 0)), "20 different pictures"),
    "a small class": (lambda p, x: np.savez(p, images=x, labels=np.arange(len(x)) < 9), "class 'True' has 9"),
    "no zip": (lambda p, x: p.write_bytes(b"PK\x03\x04 nothing"), "no .npz of numbers"),
    "text": (lambda p, x: p.write_text("hello"), "no .npz of numbers"),
    "empty": (lambda p, x: p.write_bytes(b""), "no .npz of numbers"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_npz_is_one_line_and_nothing_is_written(tmp_path, garments, fault, refused, place):
    write, *words = BAD[fault]
    write(tmp_path / "bad.npz", garments)
    with refused(tmp_path / "bad.npz", *words):
        data.bring(tmp_path / "bad.npz")
    assert nothing_there(place)


def test_what_unpacks_to_more_than_there_may_be_is_not_unpacked(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(brought, "LARGEST", 1 << 20)
    monkeypatch.setattr(brought, "read_array", lambda *_, **__: pytest.fail("it was unpacked"))
    np.savez_compressed(tmp_path / "bomb.npz", images=np.zeros((2000, 28, 28), np.uint8))
    with refused("bomb.npz unpacks to"):
        data.bring(tmp_path / "bomb.npz")


# ----- what is none


def huge(path):
    """A PNG that says it is 11,000 pixels wide and high: more than we take, if not more than Pillow does."""

    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    size = (11_000).to_bytes(4, "big")
    head = chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def test_unreadable_pictures_are_counted_and_named(album, capsys, refused, place):
    folder = album(300)
    huge(folder / "001.png")
    (folder / "002.png").write_bytes((folder / "002.png").read_bytes()[:60])
    (folder / "003.png").write_text("no picture")
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden.png").write_text("no picture")
    with warnings.catch_warnings(action="error"):
        record = data.bring(folder)
    said = capsys.readouterr().out
    assert sum(record.sizes.values()) == 297 and "left out, as they cannot be read: 3" in said
    assert "001.png (more than 100 million pixels)" in said and "003.png (no picture)" in said and "notes.txt" in said
    for path in sorted(folder.glob("*.png"))[:40]:
        path.write_text("no picture")
    with refused("cannot be read", "000.png (no picture)"):
        data.bring(folder, "other")
    assert not (place / "other").exists()


def test_other_refusals(album, tmp_path, refused, place):
    (tmp_path / "empty").mkdir()
    with refused("has no pictures"):
        data.bring(tmp_path / "empty")
    with refused("is not there"):
        data.bring(tmp_path / "nowhere")
    with refused("called mnist already", "--name"):
        data.bring(album(10), "MNIST")
    with refused("10 different pictures"):
        data.bring(album(10))
    assert nothing_there(place)
    for name in ("../x", "nope", "a b", "", 3):
        with refused("dataset ="):
            data.find(name)


def test_other_pictures_under_a_name_that_is_taken(album, refused):
    record = data.bring(album(260))
    more = album(270)
    with refused("holds other pictures", "--name"):
        data.bring(more)
    assert data.find("album") == record and len(data.load("test", dataset="album")[0]) == 87


def test_a_damaged_data_set_is_named(album, refused, place):
    data.bring(album(260))
    path = place / "album/pictures.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\x07")
    with refused(path, "damaged"):
        data.load("train", dataset="album")
    path.unlink()
    with refused(path, "missing"):
        data.load("train", dataset="album")
    card = place / "album/own.json"
    card.write_text(card.read_text().replace('"labelled": false', '"labelled": true'))
    with refused(card, "damaged"):
        data.find("album")


# ----- kinds, and the names that there are


def test_kinds_are_of_like_pictures(sample_images):
    found = kinds.kinds(sample_images)
    counts = found.bincount()
    assert len(found) == 512 and len(counts) >= 5 and counts.min() >= 10 and counts[0] == counts.max()
    flat = sample_images.flatten(1).float()
    within = sum((flat[found == k] - flat[found == k].mean(0)).square().sum() for k in range(len(counts)))
    assert within < 0.75 * (flat - flat.mean(0)).square().sum()
    assert torch.equal(found, kinds.kinds(sample_images))


def test_kinds_of_pictures_that_have_none():
    """One outlier and the rest alike: two halves, and not one of one."""
    images = torch.full((300, 28, 28), 5, dtype=torch.uint8)
    images[:, 0, 0] = torch.arange(300) % 256
    images[7] = 255
    counts = kinds.kinds(images).bincount()
    assert len(counts) >= 2 and counts.min() >= 10


def test_a_path_is_as_good_as_a_name(album, capsys, tmp_path, monkeypatch, refused):
    folder = album(260)
    assert cli._dataset(str(folder)) == "album" == cli._dataset("album")
    assert cli._dataset("") == "fashion_mnist" and cli._dataset("emnist-letters") == "emnist_letters"
    assert cli._settings({}, str(folder)) == {"dataset": "album"} == cli._settings({"dataset": str(folder)}, "")
    assert cli._settings({"epochs": 3}, "") == {"epochs": 3}
    with refused("twice"):
        cli._settings({"dataset": "mnist"}, "kmnist")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["data", "album", "--name", "mine"]) == 0 and "mine: 173" in capsys.readouterr().out
    assert cli.main(["data", "mine"]) == 0 and capsys.readouterr().out.startswith("ok ")


def test_a_config_names_a_data_set_that_there_is(album, refused):
    assert config_for("dcgan", "smoke", dataset="emnist-letters").dataset == "emnist_letters"
    assert config_for("dcgan", "full", dataset="emnist_letters").examples == 124_800
    with refused("dataset = 'album' is unknown", "mnist"):
        config_for("dcgan", "smoke", dataset="album")
    data.bring(album(260))
    config = config_for("dcgan", "smoke", dataset="album")
    assert config.examples == 512 and config.digest() != config_for("dcgan", "smoke").digest()


# ----- files of other data sets


def test_files_of_the_same_names_are_told_apart(tmp_path, sample_folder, refused, monkeypatch):
    """MNIST's are looked for in a place of their own: Fashion-MNIST's in the folder above are not taken for them."""
    monkeypatch.setattr(loading, "_from_mirror", lambda *_: (_ for _ in ()).throw(OSError("no network")))
    for path in sample_folder.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with refused(tmp_path / "mnist", "MNIST"):
        data.load("train", folder=tmp_path, dataset="mnist")


def test_a_digest_of_the_archive(tmp_path, sample_folder, refused):
    """Where the content's is not known, the .gz as it was published is taken, and nothing else."""
    path = sample_folder / "t10k-labels-idx1-ubyte.gz"
    digest = "md5:" + hashlib.md5(path.read_bytes()).hexdigest()
    content = loading.read_verified(path, digest)
    assert content == gzip.decompress(path.read_bytes())
    (tmp_path / "packed.gz").write_bytes(gzip.compress(content))
    (tmp_path / "plain").write_bytes(content)
    for name in ("packed.gz", "plain"):
        with refused(tmp_path / name, "md5 of the file"):
            loading.read_verified(tmp_path / name, digest)


def test_letters_are_turned_and_counted_from_nought(tmp_path, sample_folder):
    """As EMNIST has them: rows for columns, labels from 1."""
    record = data.DATASETS["emnist_letters"]
    given = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        for mine, theirs in zip(record.splits[split], ("images-idx3-ubyte", "labels-idx1-ubyte"), strict=True):
            content = gzip.decompress((sample_folder / f"{prefix}-{theirs}.gz").read_bytes())
            if "labels" in mine:
                content = content[:8] + bytes(x + 1 for x in content[8:])
            (tmp_path / mine).write_bytes(content)
            given[mine] = sha256(content)
    images, labels = data.load("train", folder=tmp_path, dataset=dataclasses.replace(record, digests=given))
    plain = dataclasses.replace(data.FASHION_MNIST, digests={})
    real, real_labels = (
        loading.parse_idx(gzip.decompress((sample_folder / f"{name}.gz").read_bytes()), name, plain.shape)
        for name in plain.splits["train"]
    )
    assert torch.equal(images, real.transpose(1, 2)) and torch.equal(labels, real_labels) and images.is_contiguous()
