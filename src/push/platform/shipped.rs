//! The platforms shipped with the program, so that it works in an empty directory.

/// The ids and texts of the platforms.
pub const SHIPPED: &[(&str, &str)] = &[
    ("oujiang-score", include_str!("../../../config/platforms/oujiang-score.toml")),
    ("city-credit-platform", include_str!("../../../config/platforms/city-credit-platform.toml")),
    ("national-insurance-platform", include_str!("../../../config/platforms/national-insurance-platform.toml")),
    ("municipal-credit-service", include_str!("../../../config/platforms/municipal-credit-service.toml")),
    ("provincial-credit-exchange", include_str!("../../../config/platforms/provincial-credit-exchange.toml")),
    ("credit-china", include_str!("../../../config/platforms/credit-china.toml")),
    ("enterprise-publicity", include_str!("../../../config/platforms/enterprise-publicity.toml")),
];
