//! The limit of open descriptors of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open descriptors to as many as are wanted, if the system allows it, and returns the limit. Most
/// systems start a process with a low limit that it may raise itself.
pub fn raise_descriptor_limit(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let target = wanted.min(maximum.unwrap_or(u64::MAX));
    match current {
        Some(current) if current < target => {
            let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum });
            // The lower limit still holds then, and the caller keeps to it.
            if raised.is_ok() { target } else { current }
        }
        Some(current) => current,
        None => u64::MAX,
    }
}
