"""The environment variables that the site accepts, and the errors for other values."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from ejemplo.environment import read

PRODUCTION = {"SECRET_KEY": "a key", "ALLOWED_HOSTS": "www.example.test"}


@pytest.mark.parametrize("text", ["True", "true", "YES", "on", "1"])
def test_debug_is_on_only_when_it_is_said(text: str) -> None:
    assert read({"DEBUG": text}).debug is True


@pytest.mark.parametrize("text", ["False", "false", "NO", "off", "0"])
def test_debug_is_off_when_it_is_said(text: str) -> None:
    assert read({**PRODUCTION, "DEBUG": text}).debug is False


def test_debug_and_the_balancer_are_off_when_nothing_is_said() -> None:
    settings = read(PRODUCTION)
    assert (settings.debug, settings.behind_tls_balancer) == (False, False)


@pytest.mark.parametrize("name", ["DEBUG", "BEHIND_TLS_BALANCER", "ONLY_HTTPS"])
@pytest.mark.parametrize("text", ["", " ", "flase", "2", "None", "t", "True "])
def test_what_is_neither_yes_nor_no_is_refused_with_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name}: found .*true, yes, on, 1, false, no, off, 0"):
        read({**PRODUCTION, name: text})


def test_a_balancer_cannot_both_tell_http_from_https_and_take_only_https() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^BEHIND_TLS_BALANCER and ONLY_HTTPS are both set"):
        read({**PRODUCTION, "BEHIND_TLS_BALANCER": "True", "ONLY_HTTPS": "True"})


def test_hosts_are_separated_by_commas_and_trimmed() -> None:
    settings = read({**PRODUCTION, "ALLOWED_HOSTS": " www.example.test, .example.org,[::1],10.0.0.1,"})
    assert settings.allowed_hosts == ["www.example.test", ".example.org", "[::1]", "10.0.0.1"]


@pytest.mark.parametrize(
    "host",
    [
        "https://www.example.test",
        "www.example.test:8000",
        "www.example.test/",
        "a b",
        "*.example.test",
        "a..b",
    ],
)
def test_what_django_would_never_match_as_a_host_is_refused(host: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^ALLOWED_HOSTS: found "):
        read({**PRODUCTION, "ALLOWED_HOSTS": f"localhost,{host}"})


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS"])
def test_production_does_not_start_without_its_key_or_its_hosts(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} is not set"):
        read({**PRODUCTION, name: ""})


def test_debug_makes_up_another_key_each_time() -> None:
    keys = {read({"DEBUG": "True"}).secret_key for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) >= 50 for key in keys)


def test_the_key_is_not_shown_with_the_rest() -> None:
    assert "a key" not in repr(read(PRODUCTION))


def test_what_is_empty_has_its_default() -> None:
    settings = read({**PRODUCTION, "VERSION": "", "POD_NAME": ""})
    assert settings.version
    assert settings.pod_name
