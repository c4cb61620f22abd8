//! Whether a model, the catalogue and the city's table of regions are of one city.
//!
//! A model can be computed over any catalogue that has its measures. But a catalogue says of which region it collects facts,
//! and facts of subjects elsewhere are rejected: over another city's catalogue, a model that counts faults finds none.

use std::collections::{BTreeMap, BTreeSet};

use super::{catalogue::Catalogue, model::Model};

impl Model {
    /// What does not fit, a sentence each. `has_region` is whether the table of regions has a name.
    pub fn misfits(&self, catalogue: &Catalogue, has_region: impl Fn(&str) -> bool) -> Vec<String> {
        let Some(region) = self.file().region_zh.as_deref() else {
            return vec![format!("the model {} does not say which region it is for: add region_zh", self.id())];
        };
        let mut misfits = Vec::new();
        for (elsewhere, categories) in self.categories_elsewhere(catalogue, region) {
            let categories: Vec<_> = categories.iter().map(ToString::to_string).collect();
            misfits.push(format!(
                "the model {} is for {region}, but the catalogue of {} collects its facts about {elsewhere} (categories {}): facts about subjects of {region} are rejected, and the model would rate them as if nothing had happened",
                self.id(),
                catalogue.kind(),
                categories.join(", ")
            ));
        }
        if !has_region(region) {
            misfits.push(format!("the model {} is for {region}, which the table of regions does not have", self.id()));
        }
        misfits
    }

    /// The numbers of the categories that the model reads.
    pub fn categories(&self, catalogue: &Catalogue) -> BTreeSet<u16> {
        let measures = self.reads().filter_map(|place| catalogue.measures().get(place));
        measures.map(|measure| measure.category).collect()
    }

    /// The categories that the model reads and that are about another region, by that region.
    fn categories_elsewhere<'c>(&self, catalogue: &'c Catalogue, region: &str) -> BTreeMap<&'c str, BTreeSet<u16>> {
        let mut found: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
        for category in self.categories(catalogue).into_iter().filter_map(|no| catalogue.category(no)) {
            if category.region_zh != region {
                found.entry(&category.region_zh).or_default().insert(category.no);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::scoring::{Catalogue, Model, shipped};

    fn shipped(folder: &[(&'static str, &'static str)], name: &str) -> &'static str {
        folder.iter().find(|(file, _)| file.ends_with(name)).map(|(_, text)| *text).unwrap()
    }

    fn misfits(model: &str, catalogue: &str, regions: &[&str]) -> Vec<String> {
        let catalogue = Catalogue::parse("catalogue", catalogue).unwrap();
        let model = Model::parse("model", model, &catalogue).unwrap();
        model.misfits(&catalogue, |name| regions.contains(&name))
    }

    #[test]
    fn a_model_of_one_city_does_not_fit_the_catalogue_of_another() {
        let wenzhou = shipped(shipped::CATALOGUES, "/pharmacy.toml");
        let model = shipped(shipped::MODELS, "zhenjiang-pharmacy.toml");
        let said = misfits(model, wenzhou, &["温州市"]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("is for 镇江市, but the catalogue of pharmacy collects its facts about 温州市"),
            "{said:?}"
        );
        assert!(said[1].contains("which the table of regions does not have"), "{said:?}");
        // Zhenjiang's own catalogue and table.
        let zhenjiang = wenzhou.replace("region_zh = \"温州市\"", "region_zh = \"镇江市\"");
        assert_eq!(misfits(model, &zhenjiang, &["镇江市"]), Vec::<String>::new());
    }

    #[test]
    fn the_models_of_the_city_of_the_catalogues_fit() {
        let wenzhou = shipped(shipped::CATALOGUES, "/pharmacy.toml");
        let model = shipped(shipped::MODELS, "wenzhou-pharmacy.toml");
        assert_eq!(misfits(model, wenzhou, &["温州市"]), Vec::<String>::new());
        let silent = model.replace("region_zh = \"温州市\"\n", "");
        assert!(misfits(&silent, wenzhou, &["温州市"])[0].contains("add region_zh"));
    }
}
