"""One thread for all tiny models, since more only get in each other's way; and models that several files use."""

import pytest
import torch

from tests.workers.training.runs_of_all_kinds import Models, make_models


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return make_models(tmp_path_factory.mktemp("models"))
