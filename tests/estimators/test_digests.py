"""The digest of a saved file: it finds accidents, and is no proof of an origin."""

import hashlib
import re

import pytest

ZEROS = b"0" * 64

#: A feature that is not there, which made the hosts read outside their memory.
FORGERIES = {
    "xgboost": (rb'("split_indices":\[)\d+', rb'focalboost_sha256":"(.{64})"'),
    "lightgbm": (rb"(split_feature=)\d+", rb"focalboost_sha256:(.{64})\n"),
}


def unsigned(host, content, place):
    """What the digest is taken of."""
    if host.name == "xgboost":
        return content[: place.start(1)] + ZEROS + content[place.end(1) :]
    return (content[: place.start()] + content[place.end() :]).strip()


def forged(host, content):
    """A damaged file with the digest that suits the damage."""
    damage, digest = FORGERIES[host.name]
    damaged = re.sub(damage, rb"\g<1>99999999", content, count=1)
    if host.name == "lightgbm":
        damaged = with_sizes(damaged)
    place = re.search(digest, damaged)
    right = hashlib.sha256(unsigned(host, damaged, place)).hexdigest().encode()
    return damaged[: place.start(1)] + right + damaged[place.end(1) :]


def with_sizes(content):
    """A text with the lengths of its trees, which are looked at first."""
    trees = re.findall(rb"^Tree=\d+\n.*?\n\n\n", content, flags=re.M | re.S)
    sizes = b" ".join(b"%d" % len(tree) for tree in trees)
    return re.sub(rb"tree_sizes=.*", b"tree_sizes=" + sizes, content)


@pytest.fixture
def saved(host, rare, tmp_path):
    """The path of a saved estimator."""
    path = tmp_path / f"model.{host.formats[0]}"
    host.estimator(n_estimators=2).fit(*rare).save_model(path)
    return path


def test_a_right_digest_does_not_make_a_damaged_file_a_model(host, saved):
    content = saved.read_bytes()
    saved.write_bytes(forged(host, content))
    assert saved.read_bytes() != content
    with pytest.raises(ValueError, match=r"fname must be an? \w+ model that can be u"):
        host.estimator().load_model(saved)
