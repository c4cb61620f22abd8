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

# Every fuzz target for a minute each, or those that arguments name. With cargo-bolero installed, guided by coverage:
# cargo bolero test --test fuzz files::parquet_files::parquet
fuzz *ARGS:
    BOLERO_RANDOM_ITERATIONS=1000000000 BOLERO_RANDOM_TEST_TIME_MS=60000 cargo test --release --test fuzz {{ARGS}}

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
