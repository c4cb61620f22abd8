//! The catalogues and models that come with the program, so that it works in an empty directory.

/// Catalogues: name and text.
pub const CATALOGUES: &[(&str, &str)] = &[
    ("catalogue/medical_institution.toml", include_str!("../../config/catalogue/medical_institution.toml")),
    ("catalogue/pharmacy.toml", include_str!("../../config/catalogue/pharmacy.toml")),
];

/// Models: name and text.
pub const MODELS: &[(&str, &str)] = &[
    ("models/wenzhou-institution.toml", include_str!("../../config/models/wenzhou-institution.toml")),
    ("models/wenzhou-pharmacy.toml", include_str!("../../config/models/wenzhou-pharmacy.toml")),
];
