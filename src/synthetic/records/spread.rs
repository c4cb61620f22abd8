//! How the grades of each kind are distributed, and how they change between half-years.

/// Distribution and movement of grades.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// The share of each grade, best first, in ten-thousandths.
    pub(super) shares: [usize; 5],
    /// Subjects in a thousand that rose a grade since the half-year before.
    pub(super) rose: usize,
    /// Subjects in a thousand that fell a grade since the half-year before.
    pub(super) fell: usize,
}

/// The spread of a kind. Published figures are the shares of institutions (10.15 / 62.45 / 23.40 / 4.00 / 0 %) and how
/// many of them and of pharmacies rose a grade (24.4 % and 15.3 %); the others are made up.
pub(super) fn spread(kind: &str) -> Spread {
    let (shares, rose) = match kind {
        "medical_institution" => ([1_015, 6_245, 2_340, 400, 0], 244),
        "doctor" | "nurse" | "pharmacist" | "insured_person" => ([3_000, 6_000, 800, 150, 50], 153),
        _ => ([800, 5_800, 2_700, 600, 100], 153),
    };
    Spread { shares, rose, fell: 100 }
}
