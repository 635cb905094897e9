"""The page on reliability is made of the tables that are tested here."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_the_page_is_up_to_date() -> None:
    path = Path(__file__).parents[2] / "docs/reliability.py"
    spec = importlib.util.spec_from_file_location("docs_reliability", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.page()
    how = "run PYTHONPATH=tests .venv/bin/python docs/reliability.py"
    assert module.PAGE.read_text() == made, how
