"""What the operator API takes and gives, as pydantic models; the OpenAPI document comes of them."""
