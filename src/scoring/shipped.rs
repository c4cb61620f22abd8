//! The catalogues, models and mapping tables shipped with the program, so that it works in an empty directory.

/// The names and texts of the catalogues.
pub const CATALOGUES: &[(&str, &str)] = &[
    ("catalogue/medical_institution.toml", include_str!("../../config/catalogue/medical_institution.toml")),
    ("catalogue/pharmacy.toml", include_str!("../../config/catalogue/pharmacy.toml")),
    ("catalogue/doctor.toml", include_str!("../../config/catalogue/doctor.toml")),
    ("catalogue/nurse.toml", include_str!("../../config/catalogue/nurse.toml")),
    ("catalogue/pharmacist.toml", include_str!("../../config/catalogue/pharmacist.toml")),
    ("catalogue/agency.toml", include_str!("../../config/catalogue/agency.toml")),
    ("catalogue/medical_company.toml", include_str!("../../config/catalogue/medical_company.toml")),
    ("catalogue/employer.toml", include_str!("../../config/catalogue/employer.toml")),
    ("catalogue/insured_person.toml", include_str!("../../config/catalogue/insured_person.toml")),
];

/// The stem of a file's name: the kind of a catalogue, the id of a model.
fn stem(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.strip_suffix(".toml").unwrap_or(file)
}

/// The catalogues by kind.
pub fn catalogues() -> impl Iterator<Item = (&'static str, &'static str)> {
    CATALOGUES.iter().map(|(name, text)| (stem(name), *text))
}

/// The models by id.
pub fn models() -> impl Iterator<Item = (&'static str, &'static str)> {
    MODELS.iter().map(|(name, text)| (stem(name), *text))
}

/// The names and texts of the models.
pub const MODELS: &[(&str, &str)] = &[
    ("models/wenzhou-institution.toml", include_str!("../../config/models/wenzhou-institution.toml")),
    ("models/wenzhou-pharmacy.toml", include_str!("../../config/models/wenzhou-pharmacy.toml")),
    ("models/wenzhou-doctor.toml", include_str!("../../config/models/wenzhou-doctor.toml")),
    ("models/wenzhou-nurse.toml", include_str!("../../config/models/wenzhou-nurse.toml")),
    ("models/wenzhou-pharmacist.toml", include_str!("../../config/models/wenzhou-pharmacist.toml")),
    ("models/wenzhou-agency.toml", include_str!("../../config/models/wenzhou-agency.toml")),
    ("models/wenzhou-medical-company.toml", include_str!("../../config/models/wenzhou-medical-company.toml")),
    ("models/wenzhou-employer.toml", include_str!("../../config/models/wenzhou-employer.toml")),
    ("models/wenzhou-insured-person.toml", include_str!("../../config/models/wenzhou-insured-person.toml")),
    ("models/hengyang-institution.toml", include_str!("../../config/models/hengyang-institution.toml")),
    ("models/hengyang-pharmacy.toml", include_str!("../../config/models/hengyang-pharmacy.toml")),
    ("models/hengyang-doctor.toml", include_str!("../../config/models/hengyang-doctor.toml")),
    ("models/hengyang-pharmacist.toml", include_str!("../../config/models/hengyang-pharmacist.toml")),
    ("models/zhenjiang-institution.toml", include_str!("../../config/models/zhenjiang-institution.toml")),
    ("models/zhenjiang-pharmacy.toml", include_str!("../../config/models/zhenjiang-pharmacy.toml")),
];

/// The names and texts of the mapping tables.
pub const MAPPINGS: &[(&str, &str)] = &[
    ("mappings/hengyang-national-cred-lv.toml", include_str!("../../config/mappings/hengyang-national-cred-lv.toml")),
    ("mappings/wenzhou-national-cred-lv.toml", include_str!("../../config/mappings/wenzhou-national-cred-lv.toml")),
    ("mappings/zhenjiang-national-cred-lv.toml", include_str!("../../config/mappings/zhenjiang-national-cred-lv.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoring::Catalogue;

    #[test]
    fn files_are_named_by_what_they_contain() {
        for (kind, text) in catalogues() {
            assert_eq!(Catalogue::parse(kind, text).unwrap().kind(), kind);
        }
        for (id, text) in models() {
            assert!(
                text.contains(&format!("\nid = \"{id}\"\n")) || text.starts_with(&format!("id = \"{id}\"\n")),
                "{id}"
            );
        }
    }
}
