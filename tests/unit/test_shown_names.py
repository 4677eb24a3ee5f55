"""What may be said back of a caller's URL: ids and names, nothing that may be a credential."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.shown_names import HIDDEN, shown_name, shown_path

ULID = "01J9Z3M7QK8W5T2X4Y6A8B0C1D"


@pytest.mark.parametrize(
    "name",
    [
        *("acme", "it_support", "it-support-2", "nobody", "customer_support_emea_team"),
        *(f"act_{ULID}", f"run_{ULID}_1", f"wait_{ULID}_12", f"call_{ULID}_1_1", f"cmt_{ULID}"),
        *("x" * 64, "nightly-2026-11-22", "b31200105c9edcb4"),
    ],
)
def test_a_name_and_an_id_are_said_back(name: str):
    assert name == shown_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "ark_0123456789abcdef_hq5sI8ordqKxhHR2-MSE3L1cvh1PUzWRMS_eInjkqzE",
        "ak_0123456789abcdef_hZm4m3AFRx7-AZKL-KVrA9SllD33dtN0VXJMYrDhcA0",
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "hello world",
        "canary+/=",
        "",
        "x" * 65,
        f"act_{ULID}x",
        f"act_{ULID}\n",
    ],
)
def test_what_may_be_a_credential_is_not(text: str):
    assert shown_name(text) == HIDDEN


@given(st.binary(min_size=32, max_size=64))
def test_no_256_random_bits_are_said_back(raw: bytes):
    for text in (raw.hex(), base64.urlsafe_b64encode(raw).decode().rstrip("=")):
        if len(set(text)) > 8:  # as random text has
            assert shown_name(text) == HIDDEN


def test_a_path_keeps_its_form():
    key, token = "4eC39HqLyjWDarjtT1zdp7dc", "a.b.c"
    assert shown_path(f"/v1/agents/acme/keys/{key}") == "/v1/agents/acme/keys/***"
    assert shown_path(f"/v1//{token}/") == "/v1//***/"
    assert shown_path("/v1/openapi.json") == "/v1/***"
