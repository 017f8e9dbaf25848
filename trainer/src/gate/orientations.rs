//! What becomes of films in scope that lie in each of the eight orientations.

use anyhow::Result;
use cspine_domain::Orientation;
use serde::Serialize;

use super::films::Films;
use super::measure::{Look, Looks};
use super::outside::oriented;

/// Films that all lie in one orientation, beside the same films upright and facing as they are.
#[derive(Debug, Clone, Serialize)]
pub struct Oriented {
    /// Quarter turns by which they are turned, clockwise.
    pub quarters: u8,
    /// Whether they are mirrored after that.
    pub mirrored: bool,
    /// How many.
    pub films: usize,
    /// Of them answered.
    pub answered: usize,
    /// Of all, answered upright: turned back, mirrored or not.
    pub upright: usize,
    /// Of all, with the class and the flag of the upright film.
    pub same_answer: usize,
    /// Of all, neither answered so nor refused: with another class or flag.
    pub other_answer: usize,
    /// Of all, marked atypical.
    pub atypical: usize,
}

/// A worker's looks at films in every orientation, by [`Orientation::ALL`].
pub(super) fn looks(looks: &Looks, films: &Films) -> Result<Vec<Vec<Look>>> {
    let each = |orientation: Orientation| {
        let doing = format!("turned by {}°", 90 * u16::from(orientation.quarters()));
        looks.changed(&doing, films, |film| oriented(film, orientation))
    };
    Orientation::ALL.into_iter().map(each).collect()
}

/// Counts of looks at films in every orientation.
pub(super) fn count(looks: &[Vec<Look>]) -> Vec<Oriented> {
    Orientation::ALL
        .into_iter()
        .zip(looks)
        .map(|(orientation, turned)| Oriented::of(orientation, &looks[0], turned))
        .collect()
}

impl Oriented {
    fn of(orientation: Orientation, upright: &[Look], turned: &[Look]) -> Self {
        let count = |is: &dyn Fn(&Look, &Look) -> bool| {
            upright.iter().zip(turned).filter(|(upright, turned)| is(upright, turned)).count()
        };
        let answered = |look: &Look| look.standing.is_answered();
        let alike = |upright: &Look, turned: &Look| (upright.class, upright.flagged) == (turned.class, turned.flagged);
        Self {
            quarters: orientation.quarters(),
            mirrored: orientation.is_mirrored(),
            films: turned.len(),
            answered: count(&|_, turned| answered(turned)),
            upright: count(&|_, turned| answered(turned) && orientation.then(turned.look).quarters() == 0),
            same_answer: count(&|upright, turned| answered(turned) && alike(upright, turned)),
            other_answer: count(&|upright, turned| answered(turned) && !alike(upright, turned)),
            atypical: count(&|_, turned| turned.standing == cspine_nets::Standing::Atypical),
        }
    }

    /// Its name in reports.
    pub fn name(&self) -> String {
        let mirrored = if self.mirrored { ", mirrored" } else { "" };
        format!("turned by {}°{mirrored}", 90 * u16::from(self.quarters))
    }
}
