"""What schemathesis must know of media types that are not its own."""

import schemathesis


@schemathesis.serializer("text/csv", "application/vnd.apache.parquet")
def as_it_is(ctx, value):
    """A file is the bytes of whatever was made."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.deserializer("application/x-ndjson")
def lines(ctx, response):
    """One JSON object a line; the document's schema is that of one of them, and the last is looked at."""
    import json

    return json.loads(response.content.decode().splitlines()[-1])


@schemathesis.deserializer("application/octet-stream", "application/jose")
def text(ctx, response):
    """Bytes and tokens have no form but their own."""
    return response.content.decode("latin-1")
