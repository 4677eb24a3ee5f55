"""Which folder holds the stack when nobody names one."""

from local.stack import CHECKOUT, default_state_directory, read


def test_the_checkout_has_one_of_its_own(monkeypatch):
    monkeypatch.delenv("AGENTRUNS_STATE_DIR", raising=False)

    assert default_state_directory() == CHECKOUT / ".local"


def test_the_environment_names_another(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENTRUNS_STATE_DIR", str(tmp_path))

    assert default_state_directory() == tmp_path
    assert read() is None
