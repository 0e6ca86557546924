"""Where the models are asked over REST."""

HALF, TYPES, MIXED, ADDS = (f"/v1/models/{name}" for name in ("half", "types", "mixed", "adds"))
B64 = {"b64": "AP8="}  # the bytes 0 and 255


def typed(signature, **body):
    return (f"{TYPES}:predict", {"signature_name": signature, **body})
