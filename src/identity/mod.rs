//! Who is calling and who signed: certificates and their trust, tokens, message signatures, and the suites they rest on.
//!
//! Pure: no storage, no configuration, no network. Time is a parameter.

pub mod suite;

pub use suite::{Jwk, KeyPair, PublicKey, SharedSigner, Signer, Suite, SuiteError, Verifier};
