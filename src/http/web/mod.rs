//! What the pages for people share: cookies, forms, security headers, messages after an act, pagination and assets.
//!
//! Pages are rendered on the server, by typed templates of `templates/`. Nothing needs a script. A form is refused unless
//! it comes from a page of ours, and inside a session unless it has the session's token. Nothing personal is in a URL.

pub mod assets;
pub mod chart;
pub mod cookies;
pub mod flash;
pub mod forms;
pub mod headers;
pub mod page;
pub mod pagination;
pub mod preferences;
pub mod same_site;
pub mod target;
pub mod when;
