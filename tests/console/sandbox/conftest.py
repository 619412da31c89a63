from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from tests.sandbox import RunningSandbox, running_sandbox


@pytest.fixture(scope="session")
def running() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: RunningSandbox) -> RunningSandbox:
    running.control.reset()
    return running


@pytest.fixture(scope="session")
def transport() -> Iterator[httpx2.Client]:
    # trust_env off: proxies of the environment must not come between.
    with httpx2.Client(trust_env=False, timeout=10) as transport:
        yield transport


@pytest.fixture
def client(sandbox: RunningSandbox, transport: httpx2.Client) -> OpenAI:
    return OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0, http_client=transport)
