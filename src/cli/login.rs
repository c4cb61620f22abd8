//! The login name of the process.

use std::{fs, os::unix::fs::MetadataExt};

/// The login name of this process: the user who called `sudo`, or the owner of the process by the password file. Under
/// `sudo` the environment is trusted for the caller's name; otherwise anybody could set it.
pub(super) fn login_name() -> Option<String> {
    let owner = fs::metadata("/proc/self").ok()?.uid();
    let behind_sudo = (owner == 0).then(|| std::env::var("SUDO_USER").ok()).flatten();
    behind_sudo.or_else(|| name_of(owner, &fs::read_to_string("/etc/passwd").ok()?))
}

fn name_of(owner: u32, passwd: &str) -> Option<String> {
    let fields = passwd.lines().map(|line| line.split(':'));
    fields
        .filter_map(|mut fields| Some((fields.next()?, fields.nth(1)?)))
        .find_map(|(name, uid)| (uid.parse() == Ok(owner)).then(|| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_named_by_the_password_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nlin:x:1000:1000::/home/lin:/bin/sh\n";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("lin"));
        assert_eq!(name_of(1001, passwd), None);
    }
}
