import json
import shutil

import numpy as np
import pytest

from engine.bundle import read_bundle
from engine.domain.errors import BadBundle
from engine.golden import check_golden


@pytest.fixture
def copied(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def test_a_bundle_reads_back_mapped_and_answers_its_golden_requests(tiny_bundle):
    bundle = read_bundle(tiny_bundle)
    assert len(bundle.version) == 12
    assert len(bundle.resource_ids) == 24
    assert not bundle.arrays["factor_vectors"].flags.writeable
    assert len(bundle.golden) >= 3
    check_golden(bundle)


def test_no_learner_and_no_pickle_is_in_a_bundle(tiny_bundle):
    for file in tiny_bundle.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"learner-" not in content, file
            assert file.suffix in (".json", ".npy", ".sha256")
            if file.suffix == ".npy":
                np.load(file, allow_pickle=False)


@pytest.mark.parametrize(
    "name", ["manifest.sha256", "ids.json", "golden.json", "arrays/ease_weight.npy", "arrays/course_votes.npy"]
)
def test_one_flipped_byte_is_noticed(copied, name):
    content = bytearray((copied / name).read_bytes())
    content[-1] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(BadBundle, match="not what training wrote"):
        read_bundle(copied)


def test_one_flipped_bit_of_the_manifest_is_noticed_wherever_it_is(copied):
    content = (copied / "manifest.json").read_bytes()
    for place in range(0, len(content), len(content) // 40):
        flipped = bytearray(content)
        flipped[place] ^= 1
        (copied / "manifest.json").write_bytes(flipped)
        with pytest.raises(BadBundle):
            read_bundle(copied)


def test_another_format_version_is_refused_with_the_next_step(copied):
    manifest = json.loads((copied / "manifest.json").read_text())
    (copied / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))
    with pytest.raises(BadBundle, match=r"format version 99.*train it again"):
        read_bundle(copied)


@pytest.mark.parametrize("name", ["manifest.json", "ids.json", "arrays/ease_starts.npy"])
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(BadBundle, match=name.split("/")[-1]):
        read_bundle(copied)


def test_a_manifest_that_is_not_json_and_a_folder_that_is_none_are_refused(copied, tmp_path):
    (copied / "manifest.json").write_bytes(b"\xff{")
    with pytest.raises(BadBundle, match="not JSON"):
        read_bundle(copied)
    with pytest.raises(BadBundle, match="missing"):
        read_bundle(tmp_path / "nowhere")


def test_a_bundle_that_answers_otherwise_is_refused(copied):
    bundle = read_bundle(copied)
    bundle.golden[0]["answer"][0][1] += 1e-3
    with pytest.raises(BadBundle, match="golden"):
        check_golden(bundle)
