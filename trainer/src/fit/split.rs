//! Training, validation and test sets: stratified by class, a patient on one side only.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use cspine_domain::Class;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

/// The shares of the three sets, in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// For fitting.
    pub training: u32,
    /// For the choice of the epoch, the temperature and the operating point.
    pub validation: u32,
    /// For the report.
    pub test: u32,
}

impl std::str::FromStr for Shares {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<u32> =
            text.split('/').map(str::parse).collect::<Result<_, _>>().map_err(|_| "three numbers, as 70/15/15")?;
        match parts[..] {
            [training, validation, test] if training > 0 && validation > 0 && training + validation + test == 100 => {
                Ok(Self { training, validation, test })
            }
            _ => Err("three numbers that sum to 100, as 70/15/15; training and validation over 0".into()),
        }
    }
}

impl std::fmt::Display for Shares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.training, self.validation, self.test)
    }
}

/// Indices of the examples of each set, in the order of the examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// For fitting.
    pub training: Vec<usize>,
    /// For choosing.
    pub validation: Vec<usize>,
    /// For the report.
    pub test: Vec<usize>,
}

/// One example's class and patient.
pub struct Member<'a> {
    /// Its class.
    pub class: Class,
    /// Its patient; without one, itself.
    pub patient: &'a str,
}

/// Deals the patients out, by class and by seed. A patient with several classes goes by the rarest of them.
pub fn split(members: &[Member<'_>], shares: Shares, seed: u64) -> Result<Split> {
    let mut per_class = [0usize; Class::COUNT];
    let mut patients: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, member) in members.iter().enumerate() {
        per_class[member.class.index()] += 1;
        patients.entry(member.patient).or_default().push(i);
    }
    let mut split = Split { training: Vec::new(), validation: Vec::new(), test: Vec::new() };
    for class in Class::ALL {
        let stratum = |images: &[usize]| {
            images.iter().map(|&i| members[i].class).min_by_key(|c| (per_class[c.index()], c.index())) == Some(*class)
        };
        let mut group: Vec<&Vec<usize>> = patients.values().filter(|images| stratum(images)).collect();
        group.shuffle(&mut StdRng::seed_from_u64(seed ^ (class.index() as u64 + 1) << 32));
        let images: usize = group.iter().map(|images| images.len()).sum();
        let ends =
            [shares.training, shares.training + shares.validation].map(|share| (images * share as usize + 50) / 100);
        let mut dealt = 0;
        for images in group {
            let set = match dealt {
                n if n < ends[0] => &mut split.training,
                n if n < ends[1] => &mut split.validation,
                _ => &mut split.test,
            };
            set.extend(images);
            dealt += images.len();
        }
    }
    for set in [&mut split.training, &mut split.validation, &mut split.test] {
        set.sort_unstable();
    }
    if split.training.is_empty() || split.validation.is_empty() {
        bail!("{} images of {} patients are too few to split {shares}", members.len(), patients.len());
    }
    Ok(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares { training: 70, validation: 15, test: 15 };

    #[test]
    fn no_patient_is_on_two_sides_and_classes_keep_their_shares() {
        let patients: Vec<String> = (0..600).map(|i| format!("p{}", i / 2)).collect();
        let members: Vec<Member<'_>> =
            patients.iter().enumerate().map(|(i, patient)| Member { class: Class::ALL[i / 200], patient }).collect();
        let split = split(&members, SHARES, 7).unwrap();
        let sides = |patient: &str| {
            let on = |set: &[usize]| set.iter().any(|&i| patients[i] == patient);
            [on(&split.training), on(&split.validation), on(&split.test)].iter().filter(|&&side| side).count()
        };
        assert!(patients.iter().all(|patient| sides(patient) == 1));
        for class in 0..3 {
            assert_eq!(split.training.iter().filter(|&&i| i / 200 == class).count(), 140);
            assert_eq!(split.validation.iter().filter(|&&i| i / 200 == class).count(), 30);
        }
    }

    #[test]
    fn another_seed_deals_otherwise_and_the_same_seed_the_same() {
        let patients: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        let members = || patients.iter().map(|patient| Member { class: Class::Normal, patient }).collect::<Vec<_>>();
        assert_eq!(split(&members(), SHARES, 1).unwrap(), split(&members(), SHARES, 1).unwrap());
        assert_ne!(split(&members(), SHARES, 1).unwrap(), split(&members(), SHARES, 2).unwrap());
    }

    #[test]
    fn shares_are_three_numbers_that_sum_to_a_hundred() {
        assert_eq!("70/15/15".parse(), Ok(SHARES));
        for bad in ["70/15", "70/15/20", "0/50/50", "a/b/c"] {
            assert!(bad.parse::<Shares>().is_err(), "{bad}");
        }
    }
}
