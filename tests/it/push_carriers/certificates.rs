//! Certificates of both sides: refused ones, and renewed ones, which need no restart.

use medcredit::{
    authority::files::{CERTIFICATE, to_pem},
    identity::certificate::thumbprint,
    push::carrier::FailureReason,
};

use super::{
    package, rows,
    sink::{Sink, deliver},
};
use crate::support::{
    block_on,
    pki::{CertificateSpec, DAY, NOW, TestCa},
};

#[test]
fn a_receiver_with_another_certificate_is_not_sent_anything() {
    block_on(async {
        // For another name, and of another authority.
        for (sink, word) in [
            (Sink::open_for(&["platform.example"]).await, "other names"),
            (
                {
                    let sink = Sink::open().await;
                    let other = to_pem(CERTIFICATE, &TestCa::root("another root").certificate);
                    std::fs::write(sink.file("ca.pem"), other.as_str()).unwrap();
                    sink
                },
                "compare fingerprints",
            ),
        ] {
            let failed = deliver(&sink.carrier(), &package(1, 1), &rows(0..1)).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (FailureReason::Certificate, false), "{failed}");
            assert!(failed.detail.contains(word), "{failed}");
            assert!(sink.received().is_empty());
        }
    });
}

#[test]
fn a_receiver_that_refuses_our_certificate_is_named() {
    block_on(async {
        let sink = Sink::open().await;
        let old = CertificateSpec { not_after: NOW.minus(DAY / 2), ..CertificateSpec::bank("bureau", 11) };
        sink.install(&sink.ca.issue(&old));
        let failed = deliver(&sink.carrier(), &package(1, 1), &rows(0..1)).await.unwrap_err();
        assert!(matches!(failed.reason, FailureReason::Tls | FailureReason::Closed), "{failed}");
        assert!(sink.received().is_empty());
    });
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    block_on(async {
        let sink = Sink::open().await;
        let (carrier, package, rows) = (sink.carrier(), package(1, 1), rows(0..1));
        deliver(&carrier, &package, &rows).await.unwrap();
        let renewed = sink.ca.bank("bureau", 12);
        // Half done: the former one stays in use, rather than nothing being delivered.
        sink.install_certificate(&renewed);
        deliver(&carrier, &package, &rows).await.unwrap();
        sink.install_key(&renewed);
        deliver(&carrier, &package, &rows).await.unwrap();
        let used: Vec<_> = sink.received().into_iter().map(|request| request.certificate).collect();
        assert_eq!(used[0], used[1]);
        assert_eq!(used[2], thumbprint(&renewed.chain[0]));
        assert_ne!(used[0], used[2]);
    });
}

#[test]
fn files_that_cannot_be_used_are_named_and_read_again() {
    block_on(async {
        let sink = Sink::open().await;
        let (carrier, package, rows) = (sink.carrier(), package(1, 1), rows(0..1));
        let certificate = sink.ca.bank("bureau", 12);
        sink.install_certificate(&certificate);
        let failed = deliver(&carrier, &package, &rows).await.unwrap_err();
        assert_eq!((failed.reason, failed.permanent), (FailureReason::Credentials, false));
        assert!(failed.detail.contains("client.key is not the key of"), "{failed}");
        std::fs::remove_file(sink.file("client.key")).unwrap();
        let failed = deliver(&carrier, &package, &rows).await.unwrap_err();
        assert!(failed.detail.contains("client.key cannot be read"), "{failed}");
        assert_eq!(sink.connections(), 0);
        sink.install_key(&certificate);
        deliver(&carrier, &package, &rows).await.unwrap();
    });
}
