"""The package's build hook compiles the kernels, and a machine without a compiler builds all the same."""

import ctypes
import hashlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

HOUSE = Path(__file__).parents[1]
SOURCES = ("engine/collaborators/kernels.c", "engine/learner/kernels.c")
FUNCTIONS = {
    "engine/collaborators/kernels.c": ("groups_anneal", "groups_enumerate", "groups_cost"),
    "engine/learner/kernels.c": ("learner_fold", "learner_encode", "forest_walk"),
}
can_compile = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")


class Interface:
    """What the hook uses of hatchling, which only a build installs."""

    def __init__(self, root, app):
        self.root, self.app = str(root), app


@pytest.fixture
def hook_class(monkeypatch):
    name = "hatchling.builders.hooks.plugin.interface"
    parts = name.split(".")
    for n in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:n]), ModuleType(parts[n - 1]))
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(BuildHookInterface=Interface))
    spec = importlib.util.spec_from_file_location("hatch_build_of_the_house", HOUSE / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.KernelsHook


@pytest.fixture
def house(tmp_path):
    """A copy of what the hook reads."""
    for source in SOURCES:
        (tmp_path / source).parent.mkdir(parents=True)
        shutil.copy(HOUSE / source, tmp_path / source)
    return tmp_path


@pytest.fixture
def build(hook_class, house):
    """Run the hook once: what it tells the build, and the warnings it shows."""

    def run():
        warnings, told = [], {"artifacts": [], "pure_python": True}
        hook_class(house, SimpleNamespace(display_warning=warnings.append)).initialize("standard", told)
        return told, warnings

    return run


def compiled(house):
    return sorted(str(path.relative_to(house)) for path in (house / "engine").rglob("*.*") if path.suffix != ".c")


def library_of(source):
    digits = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    return source.with_name(f"_kernels-{digits}.so")


def expected(house):
    return [str(library_of(house / source).relative_to(house)) for source in SOURCES]


@can_compile
def test_a_build_compiles_the_kernels_under_the_hash_of_their_source(build, house):
    told, warnings = build()
    assert warnings == []
    assert compiled(house) == expected(house)
    assert sorted(told.pop("artifacts")) == expected(house)
    assert told == {"pure_python": False, "infer_tag": True}
    for source, names in FUNCTIONS.items():
        loaded = ctypes.CDLL(str(library_of(house / source)))
        assert all(hasattr(loaded, name) for name in names)


def test_every_c_file_of_the_engine_is_compiled():
    assert sorted(str(path.relative_to(HOUSE)) for path in (HOUSE / "engine").rglob("*.c")) == list(SOURCES)


@can_compile
def test_the_kernels_look_for_the_library_where_the_build_puts_it(build, house):
    from engine.collaborators import kernels as of_groups
    from engine.learner import kernels as of_learners

    build()
    hashes = (of_groups.source_hash(), of_learners.source_hash())
    assert [path.rpartition("/")[2] for path in compiled(house)] == [f"_kernels-{digits}.so" for digits in hashes]


@can_compile
def test_a_library_of_another_source_is_removed(build, house):
    before, _ = build()
    source = house / SOURCES[1]
    source.write_text(source.read_text() + "\n/* changed */\n")
    told, _ = build()
    assert compiled(house) == sorted(told["artifacts"]) == expected(house)
    assert len(set(before["artifacts"]) & set(told["artifacts"])) == 1


def test_a_library_of_this_source_is_not_compiled_again(build, house, monkeypatch):
    monkeypatch.setenv("CC", "/nonexistent")
    for source in SOURCES:
        library_of(house / source).write_bytes(b"as it was")
    told, warnings = build()
    assert all(library_of(house / source).read_bytes() == b"as it was" for source in SOURCES)
    assert sorted(told["artifacts"]) == expected(house)
    assert warnings == []


def test_without_a_compiler_the_build_goes_on_and_says_so(build, house, monkeypatch):
    monkeypatch.setenv("CC", "/nonexistent")
    (house / "engine" / "learner" / "_kernels-0123456789ab.so").write_bytes(b"stale")
    told, warnings = build()
    assert len(warnings) == 1
    assert "no C compiler" in warnings[0]
    # A stale library must go even so: nothing but the twin says what this source says.
    assert compiled(house) == []
    assert told == {"artifacts": [], "pure_python": True}


@can_compile
def test_a_compiler_named_by_the_environment_is_used(build, house, monkeypatch, tmp_path):
    wrapper = tmp_path / "my-cc"
    wrapper.write_text(f'#!/bin/sh\ntouch "{tmp_path}/was-used"\nexec {shutil.which("cc")} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", str(wrapper))
    build()
    assert (tmp_path / "was-used").exists()
    assert compiled(house) == expected(house)


@can_compile
def test_the_kernels_compile_without_any_warning(house):
    flags = ["-O2", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]
    for source in SOURCES:
        command = [shutil.which("cc"), *flags, "-o", os.devnull, str(house / source), "-lm"]
        assert os.spawnv(os.P_WAIT, command[0], command) == 0
