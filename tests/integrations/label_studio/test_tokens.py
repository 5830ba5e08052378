from pathlib import Path

import pytest
from fake_label_studio import LEGACY, jwt

from seqgcn.exceptions import ConfigError
from seqgcn.integrations.label_studio import check_url, find_token
from seqgcn.integrations.label_studio.tokens import KEY, kind_of

URL = "https://labels.lab.org:8443"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        (" http://localhost:8080/ ", "http://localhost:8080"),
        ("https://lab.org/labels/", "https://lab.org/labels"),
        ("http://lab.org/api", "http://lab.org"),
    ],
)
def test_an_address_is_kept_without_what_does_not_belong_to_it(given: str, kept: str) -> None:
    assert check_url(given) == kept


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("", "http://localhost:8080"),
        ("ftp://lab.org", "ftp://lab.org"),
        ("http://", "http://"),
        ("http://lab org", "lab org"),
        ("http://lab.org:port", "port"),
        ("http://[::1", "::1"),
        ("http://ann:secret@lab.org", KEY),
        ("http://lab.org/ls/projects/12/data?tab=3", r"http://lab\.org/ls and --project 12"),
        ("http://lab.org/projects/", r"http://lab\.org$"),
    ],
)
def test_what_is_no_address_is_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check_url(given)
    assert "secret" not in str(caught.value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of a user without a token."""
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_environment_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".netrc").write_text("machine labels.lab.org login ann password of-the-file\n")
    (home / ".netrc").chmod(0o600)
    assert find_token(URL) == "of-the-file"
    monkeypatch.setenv(KEY, f" {LEGACY}\n")
    assert find_token(URL) == LEGACY


def test_a_netrc_file_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "elsewhere"
    monkeypatch.setenv("NETRC", str(path))
    path.write_text("machine other.org login a password b\n")
    with pytest.raises(ConfigError, match=r"machine labels\.lab\.org into .*elsewhere"):
        find_token(URL)
    path.write_text("machine labels.lab.org login ann password of-the-file\n")
    assert find_token(URL) == "of-the-file"
    path.write_text("machine labels.lab.org pass\n")
    with pytest.raises(ConfigError, match="elsewhere cannot be read"):
        find_token(URL)


def test_no_token(home: Path) -> None:
    with pytest.raises(ConfigError, match=KEY):
        find_token(URL)


@pytest.mark.parametrize("token", ["two words", "with\nnewline", "é"])
def test_what_is_no_token_is_not_shown(home: Path, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, token)
    with pytest.raises(ConfigError, match=f"{KEY} holds no access token") as caught:
        find_token(URL)
    assert token not in str(caught.value)


def test_kinds() -> None:
    assert kind_of(LEGACY) == "legacy"
    assert kind_of("a.b.c") == "legacy"
    assert kind_of(jwt("refresh", 1)) == "refresh"
    assert kind_of(jwt("access", 1)) == "access"
