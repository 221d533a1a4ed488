"""One thread for the tests: two threads wait for each other when anything else runs on the cores."""
import pytest

from training.machine import prepare


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    prepare(1)
