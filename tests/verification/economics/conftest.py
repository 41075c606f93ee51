"""One table of claims for all tests here, printed behind the last of them (``make verify`` shows it)."""

import pytest

from tests.verification.economics.claims import Ledger


@pytest.fixture(scope="session")
def ledger():
    kept = Ledger()
    yield kept
    print(f"\n\n{kept.markdown()}\n")
