//! Institutions by tier, and pharmacies alone and in chains, each with valid codes.

use std::collections::BTreeMap;

use super::{
    SyntheticError, names,
    records::Size,
    stream::{Stream, shuffle_key},
};
use crate::domain::{Day, Malformed, Region, ResidentId, Uscc, region::RegionTable};

/// The tier of a subject, which decides the size of its settlements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// 三级.
    Tertiary,
    /// 二级.
    Secondary,
    /// 一级: community and township hospitals.
    Primary,
    /// Clinics, village posts and others.
    Clinic,
    /// 零售药店.
    Pharmacy,
}

impl Tier {
    /// The kinds of subject that the tiers belong to.
    pub(super) const KINDS: [&str; 2] = ["medical_institution", "pharmacy"];

    /// All tiers, in the order of the files.
    pub const ALL: [Self; 5] = [Self::Tertiary, Self::Secondary, Self::Primary, Self::Clinic, Self::Pharmacy];

    /// The number of subjects in a city like Wenzhou.
    pub const fn count(self) -> usize {
        match self {
            Self::Tertiary => 14,
            Self::Secondary => 60,
            Self::Primary => 220,
            Self::Clinic => 1_706,
            Self::Pharmacy => 2_400,
        }
    }

    const fn level(self) -> &'static str {
        match self {
            Self::Tertiary => "三级",
            Self::Secondary => "二级",
            Self::Primary => "一级",
            Self::Clinic => "未定级",
            Self::Pharmacy => "",
        }
    }

    /// The size for credit facts; unused for pharmacies.
    pub(super) const fn size(self) -> Size {
        match self {
            Self::Tertiary => Size::Tertiary,
            Self::Secondary => Size::Secondary,
            Self::Primary => Size::Primary,
            Self::Clinic | Self::Pharmacy => Size::Clinic,
        }
    }

    /// Percentages of public institutions (12), private non-profit ones (52) and companies (91); the rest are sole
    /// traders (92).
    const fn sorts(self) -> [i64; 3] {
        match self {
            Self::Tertiary => [90, 10, 0],
            Self::Secondary => [65, 20, 15],
            Self::Primary => [100, 0, 0],
            Self::Clinic => [0, 10, 30],
            Self::Pharmacy => [0, 0, 35],
        }
    }
}

/// The legal representative of a subject.
#[derive(Debug, Clone)]
pub(super) struct Representative {
    pub(super) name: String,
    pub(super) number: ResidentId,
}

/// A subject of the city.
#[derive(Debug, Clone)]
pub(super) struct CitySubject {
    pub(super) tier: Tier,
    pub(super) code: String,
    /// The code of its legal entity, which may own many subjects.
    pub(super) uscc: Uscc,
    pub(super) name: String,
    pub(super) region: Region,
    /// The code of the head of its chain.
    pub(super) parent_code: Option<String>,
    pub(super) representative: Representative,
    /// The number of its settlement account.
    pub(super) account: String,
    /// When its agreement was signed.
    pub(super) agreement_signed_on: Day,
    /// `active`, `ended_by_subject` or `ended_by_bureau`.
    pub(super) agreement_status: &'static str,
    /// `active` or `suspended`.
    pub(super) licence_status: &'static str,
}

impl CitySubject {
    /// The name of its kind in files.
    pub(super) const fn kind(&self) -> &'static str {
        match self.tier {
            Tier::Pharmacy => "pharmacy",
            _ => "medical_institution",
        }
    }

    /// The name of its level in files.
    pub(super) const fn level(&self) -> &'static str {
        self.tier.level()
    }

    /// Whether it is graded from a day on.
    pub(super) fn rated(&self, from: Day) -> bool {
        self.agreement_status == "active"
            && self.licence_status == "active"
            && self.agreement_signed_on.plus_days(366) <= from
    }
}

/// The parameters of a city.
#[derive(Debug, Clone, Copy)]
pub(super) struct CityPlan {
    pub(super) seed: u64,
    /// The size in ten-thousandths of Wenzhou.
    pub(super) scale_e4: i64,
    /// The number of institutions that are not graded, for each of four reasons in turn.
    pub(super) unrated: usize,
    /// The share of staff, employers and insured persons, in ten-thousandths.
    pub(super) staff_e4: i64,
    /// The first day of the data. Graded subjects have had an agreement for more than a year by then.
    pub(super) from: Day,
    /// The day of the data.
    pub(super) today: Day,
}

/// Percentages of subjects by region, in the order of the local table: 鹿城, 龙湾, 瓯海, 洞头, 永嘉, 平阳, 苍南,
/// 文成, 泰顺, 瑞安, 乐清, 龙港.
const REGION_SHARES: [i64; 12] = [20, 8, 11, 2, 9, 9, 8, 3, 3, 13, 11, 3];

/// What identifies a new subject.
struct Identity {
    code: String,
    uscc: Uscc,
    name: String,
    region: Region,
}

/// Generates subjects one by one.
struct Maker {
    plan: CityPlan,
    regions: Vec<NamedRegion>,
    /// The number of codes issued, by letter and region.
    issued: BTreeMap<(char, Region), u32>,
    /// The number of legal entities.
    entities: u32,
    /// The number of names used, by tier and region.
    named: BTreeMap<(Tier, Region), usize>,
}

/// A region of the city.
#[derive(Debug, Clone)]
pub(super) struct NamedRegion {
    pub(super) region: Region,
    pub(super) name: String,
}

/// The regions of the city on a day.
pub(super) fn regions(today: Day) -> Result<Vec<NamedRegion>, SyntheticError> {
    let table = RegionTable::built_in().map_err(|error| SyntheticError::Table(Malformed(error.to_string())))?;
    let counties = table.in_use(today).filter(|region| region.code.city() != region.code);
    let counties = counties.filter(|region| !region.code.as_str().ends_with("99"));
    Ok(counties.map(|region| NamedRegion { region: region.code, name: region.name.clone() }).collect())
}

/// Draws a region by its share of subjects; the first one for the `centre`.
pub(super) fn pick(regions: &[NamedRegion], centre: bool, stream: &mut Stream) -> Result<NamedRegion, Malformed> {
    // Below zero from the start: the first region is taken.
    let mut at = if centre { -1 } else { stream.between(0, 99) };
    for (region, share) in regions.iter().zip(REGION_SHARES) {
        at -= share;
        if at < 0 {
            return Ok(region.clone());
        }
    }
    // Only where the table has fewer regions than there are shares.
    regions.last().cloned().ok_or_else(|| Malformed("the table of regions is empty".into()))
}

/// Generates the institutions and pharmacies of the city.
pub(super) fn make(plan: CityPlan) -> Result<Vec<CitySubject>, SyntheticError> {
    let regions = regions(plan.today)?;
    let mut maker = Maker { plan, regions, issued: BTreeMap::new(), entities: 0, named: BTreeMap::new() };
    let mut subjects = Vec::new();
    for tier in Tier::ALL {
        let count = scaled(tier.count(), plan.scale_e4);
        if tier == Tier::Pharmacy {
            maker.pharmacies(count, &mut subjects).map_err(SyntheticError::Table)?;
        } else {
            for _ in 0..count {
                let subject = maker.institution(tier).map_err(SyntheticError::Table)?;
                subjects.push(subject);
            }
        }
    }
    maker.share_village_posts(&mut subjects);
    for nth in 0..plan.unrated {
        let mut subject = maker.institution(Tier::Clinic).map_err(SyntheticError::Table)?;
        match nth % 4 {
            0 => subject.agreement_signed_on = plan.today.plus_days(-90),
            1 => subject.agreement_status = "ended_by_subject",
            2 => subject.agreement_status = "ended_by_bureau",
            _ => subject.licence_status = "suspended",
        }
        subjects.push(subject);
    }
    Ok(subjects)
}

/// A count in ten-thousandths, rounded and at least one.
pub(super) fn scaled(count: usize, scale_e4: i64) -> usize {
    // Rounded to the nearest, and at least one: a small city has every tier too.
    let scaled = (i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(scale_e4) + 5_000) / 10_000;
    usize::try_from(scaled).unwrap_or(0).max(1)
}

impl Maker {
    fn place(&self, tier: Tier, stream: &mut Stream) -> Result<NamedRegion, Malformed> {
        // Half of the large hospitals are in the first region, the city's centre.
        let centre = tier == Tier::Tertiary && stream.happens(5_000);
        pick(&self.regions, centre, stream)
    }

    fn next_code(&mut self, letter: char, region: Region) -> String {
        let issued = self.issued.entry((letter, region)).or_default();
        *issued += 1;
        format!("{letter}{region}{issued:05}")
    }

    /// A code for a new legal entity. Its own part begins with Y, which no registry issues, so that it belongs to
    /// nobody.
    fn next_uscc(&mut self, sort: &str, region: Region) -> Result<Uscc, Malformed> {
        self.entities += 1;
        Uscc::complete(&format!("{sort}{region}Y{:07}", self.entities)).map_err(|error| Malformed(error.to_string()))
    }

    fn stream(&self, words: &[&str]) -> Stream {
        Stream::of(self.plan.seed, words)
    }

    fn institution(&mut self, tier: Tier) -> Result<CitySubject, Malformed> {
        let nth = self.entities.to_string();
        let mut stream = self.stream(&["subject", &nth]);
        let NamedRegion { region, name: place } = self.place(tier, &mut stream)?;
        let draw = stream.between(0, 99);
        let [public, non_profit, company] = tier.sorts();
        let sort = match draw {
            at if at < public => "12",
            at if at < public + non_profit => "52",
            at if at < public + non_profit + company => "91",
            _ => "92",
        };
        let letter = if tier == Tier::Pharmacy { 'P' } else { 'H' };
        let code = self.next_code(letter, region);
        let uscc = self.next_uscc(sort, region)?;
        let named = self.named.entry((tier, region)).or_default();
        let at = *named;
        *named += 1;
        let name = match tier {
            Tier::Tertiary | Tier::Secondary if sort == "12" => names::hospital(&place, at),
            Tier::Tertiary | Tier::Secondary => names::name(&place, at, "医院"),
            Tier::Primary if at.is_multiple_of(3) => names::name(&place, at, "社区卫生服务中心"),
            Tier::Primary => names::name(&place, at, "镇卫生院"),
            Tier::Clinic => names::name(&place, at, ["诊所", "门诊部", "口腔诊所", "中医诊所", "村卫生室"][at % 5]),
            Tier::Pharmacy => names::name(&place, at, "药店"),
        };
        let identity = Identity { code, uscc, name, region };
        self.subject(tier, identity, &mut stream)
    }

    fn subject(&self, tier: Tier, identity: Identity, stream: &mut Stream) -> Result<CitySubject, Malformed> {
        let Identity { code, uscc, name, region } = identity;
        // Between a year and a half and fifteen years before the data begins.
        let agreement_signed_on = self.plan.from.plus_days(-stream.between(550, 5_500));
        let representative = representative(stream, self.plan.today)?;
        // No bank's card begins with 99.
        let account = format!("99{:017}", stream.between(0, 99_999_999_999_999_999));
        Ok(CitySubject {
            tier,
            code,
            uscc,
            name,
            region,
            parent_code: None,
            representative,
            account,
            agreement_signed_on,
            agreement_status: "active",
            licence_status: "active",
        })
    }

    /// Adds pharmacies: 60 % in chains of 20 to 200 shops under one legal entity, the others alone.
    fn pharmacies(&mut self, count: usize, subjects: &mut Vec<CitySubject>) -> Result<(), Malformed> {
        let mut left = count * 60 / 100;
        let alone = count - left;
        let mut chains = self.stream(&["chains"]);
        let mut nth = 0;
        while left > 0 {
            let size = usize::try_from(chains.between(20, 200)).unwrap_or(20).min(left);
            // A rest that is too small for a chain joins this one.
            let shops = if left - size < 20 { left } else { size };
            self.chain(nth, shops, subjects)?;
            left -= shops;
            nth += 1;
        }
        for _ in 0..alone {
            let subject = self.institution(Tier::Pharmacy)?;
            subjects.push(subject);
        }
        Ok(())
    }

    fn chain(&mut self, nth: usize, shops: usize, subjects: &mut Vec<CitySubject>) -> Result<(), Malformed> {
        let mut stream = self.stream(&["chain", &nth.to_string()]);
        let home = self.place(Tier::Pharmacy, &mut stream)?.region;
        let uscc = self.next_uscc("91", home)?;
        let brand = names::word(nth);
        let mut head: Option<CitySubject> = None;
        for shop in 0..shops {
            let NamedRegion { region, name: place } = match shop {
                0 => {
                    let found = self.regions.iter().find(|place| place.region == home).cloned();
                    found.unwrap_or_else(|| NamedRegion { region: home, name: String::new() })
                }
                _ => self.place(Tier::Pharmacy, &mut stream)?,
            };
            let code = self.next_code('P', region);
            let name = format!("合成{brand}大药房连锁{place}{}店", shop + 1);
            let mut subject = self.subject(Tier::Pharmacy, Identity { code, uscc, name, region }, &mut stream)?;
            if let Some(head) = &head {
                subject.parent_code = Some(head.code.clone());
                subject.representative = head.representative.clone();
                subject.account.clone_from(&head.account);
            } else {
                head = Some(subject.clone());
            }
            subjects.push(subject);
        }
        Ok(())
    }

    /// Assigns village posts to a township hospital of their region: one legal entity, many H codes.
    fn share_village_posts(&self, subjects: &mut [CitySubject]) {
        // Cloned, because the posts are changed in the same list.
        let owners: Vec<CitySubject> = subjects.iter().filter(|one| one.tier == Tier::Primary).cloned().collect();
        for post in subjects.iter_mut().filter(|one| one.name.contains("村卫生室")) {
            let near = owners.iter().filter(|owner| owner.region == post.region);
            // The first owner in a shuffled order.
            let key = |owner: &&CitySubject| shuffle_key(self.plan.seed, &["post", &post.code, &owner.code]);
            if let Some(owner) = near.min_by_key(key) {
                post.uscc = owner.uscc;
                post.parent_code = Some(owner.code.clone());
                post.representative = owner.representative.clone();
                post.account.clone_from(&owner.account);
            }
        }
    }
}

/// A legal representative. Region 339999 does not exist, so that the number belongs to nobody.
fn representative(stream: &mut Stream, today: Day) -> Result<Representative, Malformed> {
    let born = Day::new(1955, 1, 1)?.plus_days(stream.between(0, 15_000)).to_string().replace('-', "");
    let sequence = stream.between(1, 999);
    let name = format!("合成{}{sequence:03}", names::word(usize::try_from(sequence).unwrap_or(0)));
    let short = born.get(2..).unwrap_or_default();
    let number = ResidentId::from_fifteen_digits(&format!("339999{short}{sequence:03}"), today);
    Ok(Representative { name, number: number.map_err(|error| Malformed(error.to_string()))? })
}
