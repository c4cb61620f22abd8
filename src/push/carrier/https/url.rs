//! The URLs below that of a platform.

use reqwest::Url;

use super::super::{Failed, FailureReason};
use crate::push::platform::PlatformUrl;

/// The URL of a page.
pub(super) fn page(base: &PlatformUrl, package: i64, page: u32) -> Result<Url, Failed> {
    below(base, &["packages", &package.to_string(), "pages", &page.to_string()], None)
}

/// The URL of the answers about the rows of a package.
pub(super) fn receipts(base: &PlatformUrl, package: i64, after: Option<&str>) -> Result<Url, Failed> {
    below(base, &["packages", &package.to_string(), "receipts"], after)
}

/// The URL of the inventory.
pub(super) fn records(base: &PlatformUrl, after: Option<&str>) -> Result<Url, Failed> {
    below(base, &["records"], after)
}

fn below(base: &PlatformUrl, parts: &[&str], after: Option<&str>) -> Result<Url, Failed> {
    let mut url = base.url().clone();
    let no_base = |()| Failed::permanent(FailureReason::Page, format!("{base} has no path"));
    // Without a path the URL has one empty segment, which would become a double slash.
    url.path_segments_mut().map_err(no_base)?.pop_if_empty().extend(parts);
    if let Some(after) = after {
        url.query_pairs_mut().append_pair("after", after);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_below_the_platforms_own() {
        for (base, expected) in [
            ("https://platform.test", "https://platform.test/packages/7/pages/2"),
            ("https://10.1.2.3:8443/credit/in", "https://10.1.2.3:8443/credit/in/packages/7/pages/2"),
        ] {
            assert_eq!(page(&base.parse().unwrap(), 7, 2).unwrap().as_str(), expected);
        }
        let base = "https://platform.test/in".parse().unwrap();
        assert_eq!(receipts(&base, 7, None).unwrap().as_str(), "https://platform.test/in/packages/7/receipts");
        let after = records(&base, Some("a&b=/c 1")).unwrap();
        assert_eq!(after.as_str(), "https://platform.test/in/records?after=a%26b%3D%2Fc+1");
    }
}
