//! How the rows of a package are divided into lanes and pages.

use aws_lc_rs::digest::{SHA256, digest};

use crate::push::platform::{Carrier, Platform};

/// The lanes of a platform whose pages are independent requests. It never changes: rows of one record must stay in one lane over
/// all packages.
const LANES: u8 = 64;
/// How a platform's rows are divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes {
    /// The number of lanes.
    pub(super) number: u8,
    /// The rows of a page.
    pub(super) page_rows: usize,
}

impl Lanes {
    pub(super) fn of(platform: &Platform) -> Self {
        let number = match &platform.carrier {
            Carrier::Https(_) => LANES,
            // A package is one file, or batches whose order a reader of the table sees.
            Carrier::File(_) | Carrier::Exchange(_) => 1,
        };
        let page_rows = usize::try_from(platform.carrier.page_rows()).unwrap_or(usize::MAX).max(1);
        Self { number, page_rows }
    }

    /// The lane of a record.
    pub(super) fn lane(self, record_id: &str) -> usize {
        if self.number == 1 {
            return 0;
        }
        // Of a digest and not of a hasher of the standard library, whose result may change with its version.
        let first = digest(&SHA256, record_id.as_bytes()).as_ref().first().copied().unwrap_or_default();
        usize::from(first % self.number)
    }
}
