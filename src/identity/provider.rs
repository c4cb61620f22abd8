//! The cryptographic provider, pinned to the cipher suites and key exchanges that this gateway uses.

use std::{sync::Arc, time::Duration};

use rustls::{
    crypto::{
        CryptoProvider,
        aws_lc_rs::{cipher_suite, default_provider, kx_group},
    },
    pki_types::UnixTime,
};

use crate::domain::Timestamp;

/// The provider with the cipher suites and groups, the preferred first: the three of TLS 1.3, and the hybrid
/// post-quantum key exchange before the classical ones.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..default_provider()
    })
}

/// Converts an instant to the library's type.
pub(super) fn unix_time(at: Timestamp) -> UnixTime {
    // Before 1970 the epoch is used: no certificate is valid yet then, and the verification fails closed.
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0)))
}
