import pytest

from agentruns.adapters.base_urls import validate_base_url, validate_file_url, validate_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://aic.leena.ai", "https://aic.leena.ai"),
        ("https://aic.leena.ai/", "https://aic.leena.ai"),
        ("https://proxy.example:443/leena//", "https://proxy.example:443/leena"),
        ("https://8.8.8.8", "https://8.8.8.8"),
        ("https://[2606:4700::1111]:443", "https://[2606:4700::1111]:443"),
    ],
)
@pytest.mark.parametrize("allow_private_networks", [False, True])
def test_a_public_https_url_is_taken(url, expected, allow_private_networks):
    assert validate_base_url(url, allow_private_networks) == expected


@pytest.mark.parametrize("url", ["https://a.example/in.csv", "https://a.example/?X-Sig=1&a=%20"])
@pytest.mark.parametrize("allow_private_networks", [False, True])
def test_a_files_url_may_have_a_query(url, allow_private_networks):
    validate_file_url(url, allow_private_networks)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://a.example/in.csv?CANARY", "must start with https"),
        ("ftp://a.example/in.csv?CANARY", "must start with https"),
        ("https://a.example/in.csv?CANARY#1", "must not have a fragment"),
        ("https://user:CANARY@a.example/in.csv", "must not carry a user"),
        ("https://a.example/CANARY\n", "must be a URL of at most 8192"),
        ("https://a.example/?" + "CANARY" * 2000, "must be a URL of at most 8192"),
        ("/in.csv?CANARY", "must name a host"),
        ("https://10.0.0.7/in.csv?CANARY", "must not lead to a private network"),
        ("http://127.0.0.1/in.csv?CANARY", "must start with https"),
    ],
)
def test_a_files_url_that_is_none_is_told_without_its_query(url, message):
    with pytest.raises(ValueError, match=message) as refused:
        validate_file_url(url, allow_private_networks=False)
    assert "CANARY" not in str(refused.value)


def test_a_file_on_this_machine_needs_the_parameter():
    validate_file_url("http://127.0.0.1:8080/in.csv?a=1", allow_private_networks=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://localhost:8080/",
        "http://leena.localhost:1",
        "http://[::1]:9",
        "https://10.0.0.7",
        "https://leena.corp.internal",
    ],
)
def test_a_private_url_needs_the_parameter(url):
    assert validate_base_url(url, allow_private_networks=True) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must be a URL"),
        ("https://a.example/" + "x" * 2048, "must be a URL"),
        ("https://a.example/\n", "must be a URL"),
        ("https://a b.example", "must be a URL"),
        ("https://ä.example", "must be a URL"),
        ("https://\uff11\uff16\uff19.254.169.254", "must be a URL"),
        ("https://a.example\\@evil.example", "must be a URL"),
        ("https://[::1", "is not a URL"),
        ("https://a.example:99999", "is not a URL"),
        ("https://a.example:0", "must name a host"),
        ("https://", "must name a host"),
        ("https:///path", "must name a host"),
        ("aic.leena.ai", "must name a host"),
        ("https://user@a.example", "must not carry a user"),
        ("https://user:pw@a.example", "must not carry a user"),
        ("https://@a.example", "must not carry a user"),
        ("https://a.example?x=1", "must not have a query"),
        ("https://a.example/#", "must not have a query"),
        ("https://a_b.example", "names a host that is none"),
        ("https://-a.example", "names a host that is none"),
        ("https://2852039166", "must write an address"),
        ("https://0xa9fea9fe", "must write an address"),
        ("https://0251.254.169.254", "must write an address"),
        ("https://169.254.43518", "must write an address"),
        ("http://a.example", "must start with https"),
        ("ftp://a.example", "must start with https"),
        ("file://a.example/etc", "must start with https"),
    ],
)
@pytest.mark.parametrize("allow_private_networks", [False, True])
def test_a_bad_url_is_refused_with_the_reason(url, message, allow_private_networks):
    with pytest.raises(ValueError, match=message):
        validate_base_url(url, allow_private_networks)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "https://localhost",
        "https://localhost.",
        "https://a.localhost",
        "https://metadata",
        "https://metadata.google.internal",
        "https://printer.local",
        "https://10.0.0.7",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://0.0.0.0",
        "https://[::1]",
        "https://[fe80::1]",
        "https://[::ffff:10.0.0.1]",
        "https://[64:ff9b::a9fe:a9fe]",
        "https://[2002:a9fe:a9fe::]",
        "https://224.0.0.1",
    ],
)
def test_a_private_network_is_refused(url):
    with pytest.raises(ValueError, match="must not lead to a private network"):
        validate_base_url(url, allow_private_networks=False)


def test_http_on_loopback_needs_the_parameter():
    with pytest.raises(ValueError, match="must start with https"):
        validate_base_url("http://127.0.0.1:8080", allow_private_networks=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://agent.example/run?tenant=a&key=b",
        "https://agent.example/run/",
        "https://agent.example:443?x",
        "https://8.8.8.8/",
    ],
)
def test_an_agents_url_may_have_a_query_and_stays_as_written(url):
    assert validate_url(url, allow_private_networks=False) == url


@pytest.mark.parametrize("url", ["https://agent.example/#x", "https://agent.example?a#"])
def test_an_agents_url_has_no_fragment(url):
    with pytest.raises(ValueError, match="must not have a fragment"):
        validate_url(url, allow_private_networks=False)


def test_an_address_with_a_zone_is_refused():
    with pytest.raises(ValueError, match="must not carry a zone"):
        validate_url("https://[2606:4700::1111%25eth0]/", allow_private_networks=True)
