//! Failures of SSH and SFTP in words an operator can act on.

use std::io;

use russh_sftp::{client::error::Error as SftpError, protocol::StatusCode};

use super::super::super::{Failed, FailureReason, verdict::cut};

/// A failure of the connection.
pub(super) fn ssh_failed(error: &russh::Error, at: &str) -> Failed {
    let (reason, why) = match error {
        russh::Error::UnknownKey | russh::Error::WrongServerSig => (
            FailureReason::HostKey,
            "it does not prove the key of `host_key`: nothing was sent. Ask its operator whether the key was replaced, and \
             compare fingerprints before you correct it"
                .to_owned(),
        ),
        russh::Error::NoCommonAlgo { kind, .. } => (
            FailureReason::HostKey,
            format!("it offers no {kind:?} that is accepted here; of the server's keys only that of `host_key` counts"),
        ),
        russh::Error::IO(error) => return io_failed(error, at),
        russh::Error::ConnectionTimeout | russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout => {
            (FailureReason::Timeout, "it did not answer in time".to_owned())
        }
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError => {
            (FailureReason::Closed, "it ended the connection".to_owned())
        }
        russh::Error::RequestDenied | russh::Error::ChannelOpenFailure(_) => {
            (FailureReason::Unsupported, "it offers no SFTP to our user".to_owned())
        }
        other => (FailureReason::Connection, cut(&other.to_string())),
    };
    Failed::passing(reason, format!("{at}: {why}"))
}

fn io_failed(error: &io::Error, at: &str) -> Failed {
    let (reason, why) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            (FailureReason::Refused, "it refuses connections: nothing listens there".to_owned())
        }
        io::ErrorKind::TimedOut => (FailureReason::Timeout, "it did not answer in time".to_owned()),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            (FailureReason::Closed, "it ended the connection".to_owned())
        }
        // What a resolver reports has no kind of its own.
        _ if error.to_string().contains("lookup address") => {
            (FailureReason::Name, "the name resolves to no address: check the DNS and `host`".to_owned())
        }
        _ => (FailureReason::Connection, error.to_string()),
    };
    Failed::passing(reason, format!("{at}: {why}"))
}

/// Whether a failure says that there is no such file.
pub(super) fn is_missing(error: &SftpError) -> bool {
    matches!(error, SftpError::Status(status) if status.status_code == StatusCode::NoSuchFile)
}

/// A failed operation.
pub(super) fn sftp_failed(error: &SftpError, doing: &str, path: &str) -> Failed {
    let (reason, why) = match error {
        SftpError::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => {
                (FailureReason::Missing, "it is not there: have the server's operator create the folder".to_owned())
            }
            StatusCode::PermissionDenied => {
                (FailureReason::Permission, "our user may not: have the server's operator give it the right".to_owned())
            }
            StatusCode::NoConnection | StatusCode::ConnectionLost => {
                (FailureReason::Closed, "the connection ended".to_owned())
            }
            _ => (
                FailureReason::Disk,
                format!("the server failed ({}): its disk may be full, or a file be in the way", status.status_code),
            ),
        },
        SftpError::Timeout => (FailureReason::Timeout, "the server did not answer in time".to_owned()),
        SftpError::IO(why) => (FailureReason::Closed, format!("the connection ended: {}", cut(why))),
        other => (FailureReason::Closed, format!("the connection ended: {}", cut(&other.to_string()))),
    };
    Failed::passing(reason, format!("{doing} {path}: {why}"))
}
