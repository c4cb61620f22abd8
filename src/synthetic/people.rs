//! Subjects of other kinds: staff of institutions and pharmacies, agencies, companies, employers, and a sample of
//! insured persons. Each is computed from its number alone, so that none is in the city twice.

use std::borrow::Cow;

use super::{
    SyntheticError,
    city::{self, CityPlan, CitySubject, NamedRegion, Tier},
    names,
    records::{Size, SubjectSeed},
    stream::Stream,
};
use crate::domain::{Day, Kinds, Malformed, Region, ResidentId, Uscc};

/// A subject that is neither institution nor pharmacy.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    /// The name of its kind in files.
    pub(super) kind: Cow<'static, str>,
    pub(super) code: String,
    pub(super) uscc: Option<Uscc>,
    pub(super) name: String,
    pub(super) region: Region,
    pub(super) level: &'static str,
    /// The identity number of the person, or of the legal entity's representative.
    pub(super) identity: ResidentId,
    /// The representative of a legal entity.
    pub(super) representative: Option<String>,
    pub(super) signed_on: Day,
    pub(super) agreement_status: &'static str,
    pub(super) licence_status: &'static str,
    /// Where a person practises, the main place first.
    pub(super) places: Vec<String>,
}

/// A kind of subject in this file.
struct Kind {
    id: &'static str,
    prefix: &'static str,
    /// The number of subjects in a city like Wenzhou. Insured persons are a sample of eight million.
    count: usize,
    /// Whether the plan's share of staff applies.
    shared: bool,
    levels: &'static [&'static str],
}

/// With 2,000 institutions and 2,400 pharmacies, 200,000 subjects in all.
const KINDS: [Kind; 7] = [
    Kind {
        id: "doctor",
        prefix: "D",
        count: 34_000,
        shared: true,
        levels: &["住院医师", "主治医师", "主治医师", "副主任医师", "主任医师"],
    },
    Kind {
        id: "nurse",
        prefix: "N",
        count: 38_000,
        shared: true,
        levels: &["护士", "护师", "护师", "主管护师", "副主任护师"],
    },
    Kind {
        id: "pharmacist", prefix: "HY", count: 9_000, shared: true, levels: &["药师", "执业药师", "主管药师"]
    },
    Kind { id: "agency", prefix: "S", count: 60, shared: false, levels: &[""] },
    Kind { id: "medical_company", prefix: "YQ", count: 540, shared: true, levels: &["配送", "生产"] },
    Kind { id: "employer", prefix: "DW", count: 14_000, shared: true, levels: &[""] },
    Kind { id: "insured_person", prefix: "CB", count: 100_000, shared: true, levels: &["职工", "居民"] },
];

/// The number of pharmacists, of every fifteen, that work in pharmacies.
const IN_PHARMACIES: usize = 8;

/// One in this many subjects is not graded, for each of three reasons in turn.
const UNRATED: usize = 200;

/// Percentages of a kind's staff by tier of institution.
const fn tiers_of(kind: &str) -> [i64; 4] {
    match kind.as_bytes() {
        b"doctor" => [37, 26, 16, 21],
        b"nurse" => [42, 28, 14, 16],
        _ => [25, 20, 20, 35],
    }
}

/// The share that also practises in a second place (多点执业), in ten-thousandths.
const fn second_place(kind: &str) -> i64 {
    match kind.as_bytes() {
        b"doctor" => 1_200,
        b"pharmacist" => 200,
        _ => 100,
    }
}

/// Generates subjects one by one.
struct Maker<'a> {
    plan: CityPlan,
    regions: Vec<NamedRegion>,
    /// Institutions by tier, and pharmacies last.
    places: [Vec<&'a CitySubject>; 5],
}

/// Generates the subjects of other kinds for a city with the given institutions and pharmacies.
pub(super) fn make(plan: CityPlan, table: &Kinds, subjects: &[CitySubject]) -> Result<Vec<Holder>, SyntheticError> {
    let places = Tier::ALL.map(|tier| subjects.iter().filter(|subject| subject.tier == tier).collect());
    let maker = Maker { plan, regions: city::regions(plan.today)?, places };
    let mut all = Vec::new();
    for (kind, at) in KINDS.iter().zip(0..) {
        let Some(listed) = table.find(kind.id) else { continue };
        for nth in 0..kind.count_in(plan) {
            let mut holder = maker.holder(kind, at, nth).map_err(SyntheticError::Table)?;
            holder.fit(listed, nth);
            all.push(holder);
        }
    }
    let known = |id: &str| Tier::KINDS.contains(&id) || KINDS.iter().any(|kind| kind.id == id);
    for (at, kind) in table.iter().filter(|kind| !known(&kind.id)).enumerate() {
        for nth in 0..own_count(plan) {
            all.push(maker.own(kind, at, nth).map_err(SyntheticError::Table)?);
        }
    }
    Ok(all)
}

/// The number of subjects of each kind that only the city's table has. Below a thousand, because their identity numbers
/// have that many places.
fn own_count(plan: CityPlan) -> usize {
    match plan.staff_e4 {
        0 => 0,
        _ => city::scaled(200, plan.scale_e4).clamp(1, 999),
    }
}

impl Kind {
    fn count_in(&self, plan: CityPlan) -> usize {
        match plan.staff_e4 {
            0 => 0,
            share if self.shared => city::scaled(city::scaled(self.count, plan.scale_e4), share),
            _ => city::scaled(self.count, plan.scale_e4),
        }
    }
}

impl Holder {
    /// The subject for credit facts. It is graded from a day on, unless there is a reason against it.
    pub(super) fn seed(&self, from: Day) -> SubjectSeed {
        let usual = self.agreement_status == "active" && self.licence_status == "active";
        SubjectSeed {
            code: self.code.clone(),
            size: Size::Clinic,
            agreement_signed_on: self.signed_on,
            rated: usual && self.signed_on.plus_days(366) <= from,
        }
    }
}

impl Maker<'_> {
    fn holder(&self, kind: &Kind, at: usize, nth: usize) -> Result<Holder, Malformed> {
        let mut stream = Stream::of(self.plan.seed, &[kind.id, &nth.to_string()]);
        let NamedRegion { region, name: place } = city::pick(&self.regions, false, &mut stream)?;
        let signed_on = self.plan.from.plus_days(-stream.between(550, 5_500));
        let level = usize::try_from(stream.between(0, 99)).unwrap_or(0);
        let identity = self.identity(at, nth)?;
        let mut holder = Holder {
            kind: Cow::Borrowed(kind.id),
            code: String::new(),
            uscc: None,
            name: format!("合成{}{:05}", names::word(nth * 7), nth + 1),
            region,
            level: kind.levels.get(level * kind.levels.len() / 100).copied().unwrap_or_default(),
            identity,
            representative: None,
            signed_on,
            agreement_status: "active",
            licence_status: "active",
            places: Vec::new(),
        };
        match kind.id {
            "agency" => {
                holder.make_legal_entity("11", 7_000_000 + nth)?;
                holder.name = names::name(&place, nth, "医保服务中心");
                holder.code = format!("{}{region}{:05}", kind.prefix, nth + 1);
            }
            "medical_company" => {
                let uscc = holder.make_legal_entity("91", 5_000_000 + nth)?;
                holder.name = names::name(&place, nth, "医药有限公司");
                holder.code = format!("{}{uscc}", kind.prefix);
            }
            "employer" => {
                let sort = ["91", "91", "91", "92", "12", "52"].get(nth % 6).copied().unwrap_or("91");
                let uscc = holder.make_legal_entity(sort, 6_000_000 + nth)?;
                holder.name = names::name(&place, nth, "企业服务有限公司");
                holder.code = format!("{}{uscc}", kind.prefix);
            }
            "insured_person" => holder.code = format!("{}{region}{:08}", kind.prefix, nth + 1),
            _ => self.employ(kind, nth, &mut holder, &mut stream),
        }
        self.exclude_some(nth, &mut holder);
        Ok(holder)
    }

    /// A subject of a kind that only the city's table has.
    fn own(&self, kind: &crate::domain::Kind, at: usize, nth: usize) -> Result<Holder, Malformed> {
        let mut stream = Stream::of(self.plan.seed, &[&kind.id, &nth.to_string()]);
        let NamedRegion { region, name: place } = city::pick(&self.regions, false, &mut stream)?;
        let mut holder = Holder {
            kind: Cow::Owned(kind.id.clone()),
            code: String::new(),
            uscc: None,
            name: format!("合成{}{:05}", names::word(nth * 7), nth + 1),
            region,
            level: "",
            // After the numbers of every other kind.
            identity: self.identity(0, 2_050_000 + at * 1_000 + nth)?,
            representative: None,
            signed_on: self.plan.from.plus_days(-stream.between(550, 5_500)),
            agreement_status: "active",
            licence_status: "active",
            places: Vec::new(),
        };
        if !kind.is_natural() {
            holder.make_legal_entity("91", 8_000_000 + at * 1_000 + nth)?;
            holder.name = names::name(&place, nth, &kind.name);
        }
        holder.fit(kind, nth);
        self.exclude_some(nth, &mut holder);
        Ok(holder)
    }

    /// Gives a person their places of practice, and the code that the region of the main one issued.
    fn employ(&self, kind: &Kind, nth: usize, holder: &mut Holder, stream: &mut Stream) {
        let [_, _, _, _, pharmacies] = &self.places;
        let in_pharmacy = kind.id == "pharmacist" && nth % 15 < IN_PHARMACIES && !pharmacies.is_empty();
        let main = if in_pharmacy {
            // In turn, so that every shop has a pharmacist before any has two.
            pharmacies.get((nth / 15 * IN_PHARMACIES + nth % 15) % pharmacies.len().max(1)).copied()
        } else {
            self.institution(kind.id, stream)
        };
        holder.region = main.map_or(holder.region, |main| main.region);
        holder.places.extend(main.map(|main| main.code.clone()));
        let also = if stream.happens(second_place(kind.id)) && !in_pharmacy {
            self.institution(kind.id, stream)
        } else {
            None
        };
        holder.places.extend(also.map(|also| also.code.clone()).filter(|code| !holder.places.contains(code)));
        let prefix = if in_pharmacy { "LY" } else { kind.prefix };
        holder.code = format!("{prefix}{}{:06}", holder.region, nth + 1);
    }

    /// Draws an institution: the tier by its share of staff, then any institution of the tier.
    fn institution(&self, kind: &str, stream: &mut Stream) -> Option<&CitySubject> {
        let mut at = stream.between(0, 99);
        for (tier, share) in self.places.iter().zip(tiers_of(kind)) {
            at -= share;
            if at < 0 && !tier.is_empty() {
                let nth = stream.between(0, i64::try_from(tier.len()).unwrap_or(1) - 1);
                return tier.get(usize::try_from(nth).unwrap_or(0)).copied();
            }
        }
        None
    }

    /// An identity number, different for each number of each kind. Region 339999 does not exist.
    fn identity(&self, kind: usize, nth: usize) -> Result<ResidentId, Malformed> {
        const DAYS: usize = 15_000;
        let number = nth * KINDS.len() + kind;
        // 7919 and 15,000 have no common divisor, so the birthdays are spread and no two numbers are the same.
        let born = i64::try_from(number * 7_919 % DAYS).unwrap_or(0);
        let born = Day::new(1955, 1, 1)?.plus_days(born).to_string().replace('-', "");
        let sequence = 1 + number / DAYS;
        let short = born.get(2..).unwrap_or_default();
        let number = ResidentId::from_fifteen_digits(&format!("339999{short}{sequence:03}"), self.plan.today);
        number.map_err(|error| Malformed(error.to_string()))
    }

    /// Gives one in [`UNRATED`] a reason not to be graded.
    fn exclude_some(&self, nth: usize, holder: &mut Holder) {
        if nth % UNRATED != UNRATED - 1 {
            return;
        }
        match nth / UNRATED % 3 {
            0 => holder.licence_status = "suspended",
            1 => holder.signed_on = self.plan.today.plus_days(-90),
            _ => holder.agreement_status = "ended_by_subject",
        }
    }
}

impl Holder {
    /// Gives it a code of its kind's patterns, unless it has one.
    fn fit(&mut self, kind: &crate::domain::Kind, nth: usize) {
        if kind.matches(&self.code) {
            return;
        }
        let uscc = self.uscc.as_ref().map(ToString::to_string);
        let region = self.region.to_string();
        let code = kind.codes.iter().find_map(|pattern| pattern.code(&region, nth + 1, uscc.as_deref()));
        // Without a pattern that can be filled the code stays, and an import explains why it is refused.
        self.code = code.unwrap_or_else(|| std::mem::take(&mut self.code));
    }

    /// Makes it a legal entity. The own part of its code begins with Y, which no registry issues.
    fn make_legal_entity(&mut self, sort: &str, entity: usize) -> Result<Uscc, Malformed> {
        let uscc = Uscc::complete(&format!("{sort}{}Y{entity:07}", self.region));
        let uscc = uscc.map_err(|error| Malformed(error.to_string()))?;
        self.uscc = Some(uscc);
        // The name so far is a person's; the caller names the entity.
        self.representative = Some(std::mem::take(&mut self.name));
        Ok(uscc)
    }
}
