import pytest

from agentruns.adapters.base_urls import validate_base_url
from agentruns.adapters.leena_regions import REGION_URLS, endpoints_for

# The provider's table, row by row.
ROWS = [
    ("us-east-1", "https://us-east-1-acl.leena.ai", "https://us-east-1-aic.leena.ai"),
    ("eu-west-1", "https://eu-west-1-acl.leena.ai", "https://eu-west-1-aic.leena.ai"),
    ("eu-central-1", "https://eu-central-1-acl.leena.ai", "https://eu-central-1-aic.leena.ai"),
    ("canadacentral", "https://canadacentral-acl.leena.ai", "https://canadacentral-aic.leena.ai"),
    (
        "ap-southeast-1",
        "https://ap-southeast-1-acl.leena.ai",
        "https://ap-southeast-1-aic.leena.ai",
    ),
    ("ap-south-1", "https://acl.leena.ai", "https://aic.leena.ai"),
    ("qatarcentral", "https://qatarcentral-acl.leena.ai", "https://qatarcentral-aic.leena.ai"),
    ("me-central2", "https://me-central2-acl.leena.ai", "https://me-central2-aic.leena.ai"),
]


@pytest.mark.parametrize(("region", "auth_url", "api_url"), ROWS, ids=[row[0] for row in ROWS])
def test_a_region_has_its_two_hosts(region, auth_url, api_url):
    assert endpoints_for(region) == (auth_url, api_url)


def test_there_are_no_other_regions():
    assert list(REGION_URLS) == [row[0] for row in ROWS]


@pytest.mark.parametrize("url", [url for row in ROWS for url in row[1:]])
def test_every_host_may_be_stored(url):
    assert validate_base_url(url, allow_private_networks=False) == url


@pytest.mark.parametrize("region", ["", "us-west-2", "US-EAST-1", "ap-south-1 "])
def test_an_unknown_region_is_answered_with_the_known_ones(region):
    with pytest.raises(ValueError, match=r"must be one of us-east-1, eu-west-1, .*me-central2"):
        endpoints_for(region)


@pytest.mark.parametrize(
    ("base_urls", "expected"),
    [
        ({"auth": "https://a.example/"}, ("https://a.example", "https://aic.leena.ai")),
        ({"api": "https://b.example/leena"}, ("https://acl.leena.ai", "https://b.example/leena")),
        (
            {"auth": "http://127.0.0.1:9", "api": "http://127.0.0.1:8"},
            ("http://127.0.0.1:9", "http://127.0.0.1:8"),
        ),
        ({}, ("https://acl.leena.ai", "https://aic.leena.ai")),
    ],
)
def test_base_urls_override_the_region(base_urls, expected):
    assert endpoints_for("ap-south-1", base_urls) == expected


def test_an_unknown_base_url_is_named():
    with pytest.raises(ValueError, match="takes auth and api, not aic"):
        endpoints_for("ap-south-1", {"aic": "https://a.example"})
