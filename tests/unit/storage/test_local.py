from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.errors import ConfigError, IntegrityError, NotFound, UsageError
from imagelake.storage import open_storage
from imagelake.storage.base import Storage
from imagelake.storage.local import LocalStorage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


def names(storage: Storage, prefix: str = "") -> list[str]:
    return [s.path for s in storage.list(prefix)]


def test_what_is_put_is_read_back_whole_and_in_ranges(storage: LocalStorage) -> None:
    assert storage.put("a/b.bin", b"0123456789")
    assert storage.read("a/b.bin") == b"0123456789"
    assert storage.read("a/b.bin", 3, 4) == b"3456"
    assert storage.read("a/b.bin", 8) == b"89"
    assert storage.read("a/b.bin", 10) == b""
    with storage.open("a/b.bin") as stream:
        stream.seek(4)
        assert stream.read(2) == b"45"
    found = storage.stat("a/b.bin")
    assert found is not None
    assert (found.path, found.length) == ("a/b.bin", 10)


def test_put_replaces_and_put_if_absent_does_not(storage: LocalStorage) -> None:
    assert storage.put("x", b"one", if_absent=True)
    assert not storage.put("x", b"two", if_absent=True)
    assert storage.read("x") == b"one"
    assert storage.put("x", b"two")
    assert storage.read("x") == b"two"


def test_of_many_writers_that_put_if_absent_exactly_one_wins(storage: LocalStorage) -> None:
    barrier, won = threading.Barrier(8), []

    def write(number: int) -> None:
        for turn in range(20):
            barrier.wait()
            if storage.put(f"turn/{turn}", str(number).encode(), if_absent=True):
                won.append((turn, number))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(t for t, _ in won) == list(range(20))
    assert all(storage.read(f"turn/{t}") == str(n).encode() for t, n in won)


def test_a_failed_write_leaves_neither_file_nor_rest(storage: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        storage.put("a/x", "not bytes")  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="source"):
        storage.put_file(tmp_path / "source", "a/y")
    assert not any(p.is_file() for p in (tmp_path / "lake").rglob("*"))


def test_files_are_copied_in_moved_and_deleted(storage: LocalStorage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"s" * 100_000)
    assert storage.put_file(source, "in/a")
    assert not storage.put_file(source, "in/a", if_absent=True)
    storage.copy("in/a", "in/b")
    storage.move("in/a", "out/deep/c")
    assert names(storage) == ["in/b", "out/deep/c"]
    assert storage.read("out/deep/c") == source.read_bytes()
    storage.delete("in/b")
    storage.delete("in/b")
    assert storage.stat("in/b") is None
    with pytest.raises(NotFound, match="in/a"):
        storage.move("in/a", "x")
    with pytest.raises(NotFound, match="in/a"):
        storage.copy("in/a", "x")


def test_a_short_read_is_an_error_not_less_data(storage: LocalStorage) -> None:
    storage.put("x", b"12345")
    with pytest.raises(IntegrityError, match="ends at byte 5, not 7"):
        storage.read("x", 3, 4)


def test_missing_files_and_things_that_are_no_files_are_not_found(storage: LocalStorage) -> None:
    storage.put("folder/x", b"")
    os.mkfifo(storage.local_path("pipe"))
    for path in ("absent", "folder", "folder/x/y", "pipe"):
        assert storage.stat(path) is None
        with pytest.raises(NotFound, match=path):
            storage.read(path)
        with pytest.raises(NotFound, match=path):
            storage.open(path)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a//b", "./a", "a/", "", "a\0b", ".."])
def test_paths_outside_the_root_are_refused(storage: LocalStorage, path: str) -> None:
    for action in (storage.read, storage.stat, storage.delete, storage.open):
        with pytest.raises(UsageError, match="is not a path inside"):
            action(path)
    with pytest.raises(UsageError):
        storage.put(path, b"")


def test_listing_is_recursive_and_leaves_out_temporary_files_and_links(storage: LocalStorage, tmp_path: Path) -> None:
    for path in ("a/x", "a/.tmp-123", "b", "a/deep/er/y"):
        storage.put(path, b"1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"")
    storage.local_path("link").symlink_to(tmp_path / "outside")
    storage.local_path("file-link").symlink_to(tmp_path / "outside/secret")
    assert names(storage) == ["a/deep/er/y", "a/x", "b"]
    assert names(storage, "a") == names(storage, "a/") == ["a/deep/er/y", "a/x"]
    assert names(storage, "absent") == names(storage, "b") == []


@given(st.sets(st.lists(st.sampled_from(["a", "a-b", "a.b", "b", "ä", "0"]), min_size=1, max_size=3).map(tuple)))
def test_listing_is_in_path_order(tmp_path_factory: pytest.TempPathFactory, found: set[tuple[str, ...]]) -> None:
    storage = LocalStorage(tmp_path_factory.mktemp("s"))
    paths = ["/".join((*folders, "file")) for folders in found]
    for path in paths:
        storage.put(path, b"")
    assert names(storage) == sorted(paths)


def test_the_root_is_a_file_uri_that_opens_the_same_storage(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "my lake ü%")
    storage.put("x y", b"1")
    assert storage.root.startswith("file:///")
    assert " " not in storage.root
    for uri in (storage.root, str(tmp_path / "my lake ü%"), storage.root.replace("file:///", "file:/")):
        assert open_storage(uri).read("x y") == b"1"
    assert storage.uri("x y") == storage.root + "/x%20y"


def test_other_schemes_and_hosts_are_configuration_errors() -> None:
    for uri in ("gs://bucket/lake", "hdfs://host/lake", "https://host/lake"):
        with pytest.raises(ConfigError, match=r"local paths, file:// and s3:// URIs are read"):
            open_storage(uri)
    with pytest.raises(ConfigError, match="host 'server'"):
        open_storage("file://server/lake")


def test_it_can_be_sent_to_workers(storage: LocalStorage) -> None:
    storage.put("x", b"1")
    assert pickle.loads(pickle.dumps(storage)).read("x") == b"1"


def test_flush_needs_nothing_but_the_root(storage: LocalStorage) -> None:
    storage.put("x", b"1")
    storage.flush()


def test_a_file_in_the_way_of_a_folder_is_a_configuration_error(storage: LocalStorage) -> None:
    storage.put("x", b"1")
    with pytest.raises(ConfigError, match="a file is in its way"):
        storage.put("x/y", b"1")
