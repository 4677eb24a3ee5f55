"""The digest changes with what is deployed, and with nothing else."""

import pytest

from local.sources import source_digest


@pytest.fixture
def checkout(tmp_path):
    for name in (
        "template.yaml",
        "functions/open_run/app.py",
        "layers/agentruns/agentruns/model.py",
        "statemachines/activity.asl.json",
        "README.md",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def digest(checkout):
    return source_digest(checkout, build_for="python3.12")


@pytest.mark.parametrize(
    "changed",
    ["template.yaml", "functions/open_run/app.py", "functions/open_run/new.py"],
)
def test_a_changed_or_new_source_changes_the_digest(checkout, changed):
    before = digest(checkout)
    (checkout / changed).write_text("other")
    assert digest(checkout) != before


def test_a_moved_file_changes_the_digest(checkout):
    before = digest(checkout)
    handler = checkout / "functions/open_run/app.py"
    handler.rename(handler.with_name("app2.py"))
    assert digest(checkout) != before


def test_another_runtime_changes_the_digest(checkout):
    assert source_digest(checkout, build_for="python3.13") != digest(checkout)


def test_caches_and_documents_do_not_change_the_digest(checkout):
    before = digest(checkout)
    (checkout / "README.md").write_text("other")
    cache = checkout / "functions/open_run/__pycache__"
    cache.mkdir()
    (cache / "app.cpython-312.pyc").write_text("x")
    assert digest(checkout) == before
