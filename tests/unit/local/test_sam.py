"""The caller's AWS settings do not reach sam; [local] of samconfig has the stack's parameters."""

from pathlib import Path

from local.sam import Sam, local_parameters, sam_environment

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_callers_aws_settings_are_replaced(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("SAM_CLI_POLL_DELAY", "60")
    monkeypatch.setenv("PATH", "/bin")
    environment = sam_environment({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert "AWS_PROFILE" not in environment
    assert "SAM_CLI_POLL_DELAY" not in environment
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environment["PATH"] == "/bin"


def test_the_local_parameters_come_from_samconfig():
    assert local_parameters(CHECKOUT / "samconfig.toml")["Environment"] == "local"


def test_a_callers_parameter_wins_over_samconfig(tmp_path):
    sam = Sam(checkout=CHECKOUT, logs=tmp_path)
    assert sam.parameters({"PollFloorSeconds": "3"})["PollFloorSeconds"] == "3"
    assert sam.parameters({})["PythonRuntime"].startswith("python3.")
