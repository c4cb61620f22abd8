# Every recipe is a plain line that can be typed without just.

# Everything a change must pass
check:
    ./.ci/run

# A whole city, two banks and a running gateway, in a directory of its own
demo:
    cargo run -- demo

# Tests on both engines; arguments name some of them
test *ARGS:
    ./tests/run {{ARGS}}

fmt:
    cargo fmt

clippy:
    cargo clippy --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items

# Renew the generated OpenAPI documents
openapi:
    cargo run -- openapi

deny:
    cargo deny check
