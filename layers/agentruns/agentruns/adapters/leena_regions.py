"""Leena AI's regions and their hosts, as data.

Source: the table "Region Codes and Endpoints" of the External AOP API guide (beta). `acl` serves
the token endpoint, `aic` the AOPs; ap-south-1 has no prefix. Not here: paths and calls.
"""

from __future__ import annotations

from collections.abc import Mapping

REGION_URLS: Mapping[str, tuple[str, str]] = {
    "us-east-1": ("https://us-east-1-acl.leena.ai", "https://us-east-1-aic.leena.ai"),
    "eu-west-1": ("https://eu-west-1-acl.leena.ai", "https://eu-west-1-aic.leena.ai"),
    "eu-central-1": ("https://eu-central-1-acl.leena.ai", "https://eu-central-1-aic.leena.ai"),
    "canadacentral": ("https://canadacentral-acl.leena.ai", "https://canadacentral-aic.leena.ai"),
    "ap-southeast-1": (
        "https://ap-southeast-1-acl.leena.ai",
        "https://ap-southeast-1-aic.leena.ai",
    ),
    "ap-south-1": ("https://acl.leena.ai", "https://aic.leena.ai"),
    "qatarcentral": ("https://qatarcentral-acl.leena.ai", "https://qatarcentral-aic.leena.ai"),
    "me-central2": ("https://me-central2-acl.leena.ai", "https://me-central2-aic.leena.ai"),
}


def endpoints_for(region: str, base_urls: Mapping[str, str] | None = None) -> tuple[str, str]:
    """`(auth_url, api_url)` of a region, without trailing slashes.

    `base_urls` may override `auth`, `api` or both; check its values with `validate_base_url`.
    ValueError for an unknown region or an unknown key, with the ones that are allowed.
    """
    if region not in REGION_URLS:
        raise ValueError(f"must be one of {', '.join(REGION_URLS)}")
    auth_url, api_url = REGION_URLS[region]
    overrides = dict(base_urls or {})
    auth_url = overrides.pop("auth", auth_url).rstrip("/")
    api_url = overrides.pop("api", api_url).rstrip("/")
    if overrides:
        raise ValueError(f"base_urls takes auth and api, not {', '.join(sorted(overrides))}")
    return auth_url, api_url
