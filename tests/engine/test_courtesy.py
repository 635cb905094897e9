"""Turns are a courtesy: they order the workers, and can hold up nobody for long."""

from __future__ import annotations

import threading
import time

import pytest

from ubiops_file_sync.courtesy import a_turn, stepping_aside


def in_thread(work: object) -> threading.Thread:
    assert callable(work)
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_there_is_one_turn_at_a_time() -> None:
    order: list[str] = []
    begun = threading.Event()

    def other() -> None:
        begun.set()
        with a_turn():
            order.append("other")

    with a_turn():
        thread = in_thread(other)
        begun.wait()
        order.append("mine")
    thread.join()
    assert order == ["mine", "other"]


def test_who_steps_aside_lets_others_have_theirs() -> None:
    done = threading.Event()

    def other() -> None:
        with a_turn():
            done.set()

    with a_turn(), stepping_aside():
        thread = in_thread(other)
        assert done.wait(10)
    thread.join()


def test_who_has_waited_long_goes_on_without_a_turn() -> None:
    """Whatever a turn waits for, even for another worker, it comes."""
    done = threading.Event()

    def other() -> None:
        with a_turn(), stepping_aside(), stepping_aside():
            done.set()

    with a_turn():
        began = time.monotonic()
        thread = in_thread(other)
        assert done.wait(10)
        assert time.monotonic() - began < 5
    thread.join()


def test_a_turn_ends_with_whatever_ends_it() -> None:
    for _ in range(3):
        with pytest.raises(KeyError), a_turn(), stepping_aside():
            raise KeyError
    begun = threading.Event()

    def other() -> None:
        with a_turn():
            begun.set()

    thread = in_thread(other)
    assert begun.wait(10)
    thread.join()
