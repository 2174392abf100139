"""Records of uploads in parts."""

import pytest

from antiphon.store import Store
from antiphon.store.errors import ObjectNotFound
from antiphon.store.uploads.uploads import StoredUpload
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import file
from tests.store.samples import ME

HOUR = 3600.0


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(open_store: OpenStore, clock: Clock) -> Store:
    return open_store(clock=clock)


def upload(size: int = 10) -> StoredUpload:
    return StoredUpload(
        id="upload_1",
        created_at=0.0,
        expires_at=HOUR,
        filename="a.txt",
        purpose="assistants",
        media_type="text/plain",
        bytes=size,
        file_seconds=None,
        status="pending",
    )


def test_parts_fit_into_the_size_and_the_number(store: Store, run: Run) -> None:
    run(store.uploads.add(ME, upload()))
    assert run(store.uploads.add_part(upload(), "part_1", 6, 3))
    assert not run(store.uploads.add_part(upload(), "part_2", 5, 3))
    assert run(store.uploads.add_part(upload(), "part_2", 1, 3))
    assert run(store.uploads.add_part(upload(), "part_3", 1, 3))
    assert not run(store.uploads.add_part(upload(), "part_4", 1, 3))
    assert run(store.uploads.parts("upload_1")) == {"part_1": 6, "part_2": 1, "part_3": 1}


def test_an_upload_ends_once(store: Store, run: Run) -> None:
    run(store.uploads.add(ME, upload()))
    assert not run(store.uploads.complete("other", "upload_1", file("file-1")))
    assert run(store.uploads.complete(ME, "upload_1", file("file-1")))
    assert not run(store.uploads.complete(ME, "upload_1", file("file-2")))
    assert not run(store.uploads.cancel(ME, "upload_1"))
    assert not run(store.uploads.add_part(upload(), "part_1", 1, 3))
    stored, is_open = run(store.uploads.get(ME, "upload_1"))
    assert (stored.status, is_open) == ("completed", False)
    assert run(store.files.get(ME, "file-1")).id == "file-1"


def test_an_upload_expires_by_the_clock_of_the_store(store: Store, run: Run, clock: Clock) -> None:
    run(store.uploads.add(ME, upload()))
    assert run(store.uploads.add_part(upload(), "part_1", 1, 3))
    clock.now += HOUR - 1
    assert run(store.uploads.get(ME, "upload_1"))[1]
    assert run(store.uploads.left_parts()) == []
    clock.now += 1
    assert not run(store.uploads.get(ME, "upload_1"))[1]
    assert not run(store.uploads.add_part(upload(), "part_2", 1, 3))
    assert run(store.uploads.left_parts()) == ["part_1"]


def test_an_upload_is_forgotten_after_its_parts(store: Store, run: Run, clock: Clock) -> None:
    run(store.uploads.add(ME, upload()))
    run(store.uploads.add_part(upload(), "part_1", 1, 3))
    clock.now += 3 * HOUR
    run(store.uploads.forget_ended(HOUR))
    assert run(store.uploads.get(ME, "upload_1"))
    run(store.uploads.forget_parts(["part_1"]))
    run(store.uploads.forget_ended(HOUR))
    with pytest.raises(ObjectNotFound):
        run(store.uploads.get(ME, "upload_1"))
