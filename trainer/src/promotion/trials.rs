//! Images that both models were asked about, by patient, and exact tests of them.

use std::collections::BTreeMap;

use crate::metrics::at_least;

/// The sums over each patient's images; an image of unknown patient stands for itself. Each image is whose it is, and its
/// values.
pub fn by_patient<'a, const N: usize>(images: impl IntoIterator<Item = (Option<&'a str>, [f64; N])>) -> Vec<[f64; N]> {
    let mut patients = BTreeMap::<&str, [f64; N]>::new();
    let mut sums = Vec::new();
    for (patient, values) in images {
        match patient {
            None => sums.push(values),
            Some(patient) => {
                let sum = patients.entry(patient).or_insert([0.0; N]);
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    sums.extend(patients.into_values());
    sums
}

/// McNemar's exact test, one-sided: how likely so many patients or more were to lose, of those that lost or gained, were the
/// challenger as good. Each patient is by how many more of their images the challenger has right, and counts once (a sign
/// test); where each has one image, that is McNemar's test of the images.
pub fn chance_of_the_fall(patients: impl Iterator<Item = f64>) -> f64 {
    let (mut lost, mut changed) = (0, 0);
    for gain in patients {
        lost += usize::from(gain < 0.0);
        changed += usize::from(gain != 0.0);
    }
    at_least(lost, changed, 0.5)
}

/// Patients from which on a fall by just more than the margin is significant, were it all loss and no gain: in fewer of
/// them it could not be told from chance.
pub fn telling_from(margin: f64, confidence: f64) -> usize {
    let needed = (1..).find(|lost| at_least(*lost, *lost, 0.5) <= 1.0 - confidence + 1e-12).unwrap_or(usize::MAX);
    // From here on nothing less than `needed` is over the margin. A trace less, for what rounding adds.
    ((needed - 1) as f64 / margin.max(1e-6) - 1e-6).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::{by_patient, chance_of_the_fall, telling_from};
    use crate::metrics::McNemar;

    #[test]
    fn images_of_a_patient_are_summed_and_those_of_nobody_stand_alone() {
        let images = [(Some("a"), [1.0, -1.0]), (None, [1.0, 0.0]), (Some("b"), [1.0, 1.0]), (Some("a"), [1.0, 1.0])];
        assert_eq!(by_patient(images), [[1.0, 0.0], [2.0, 0.0], [1.0, 1.0]]);
    }

    #[test]
    fn of_single_images_the_test_is_half_of_mcnemars_two_sided_one() {
        for (lost, gained) in [(6, 0), (7, 1), (8, 2), (15, 9)] {
            let two_sided = McNemar::of((0..lost + gained).map(|i| [i < lost, i >= lost])).p;
            let p = chance_of_the_fall((0..lost + gained).map(|i| if i < lost { -1.0 } else { 1.0 }));
            assert!((2.0 * p - two_sided).abs() < 1e-12, "{lost} {gained}: {p}");
        }
        assert_eq!(chance_of_the_fall(std::iter::empty()), 1.0);
    }

    #[test]
    fn ten_images_lost_of_one_patient_are_one_loss() {
        let images = (0..10).map(|_| (Some("a"), [-1.0])).chain([(None, [-1.0])]);
        assert_eq!(chance_of_the_fall(by_patient(images).into_iter().map(|[gain]| gain)), 0.25);
    }

    #[test]
    fn below_eighty_images_a_fall_by_five_points_cannot_be_told_from_chance() {
        // Five lost of 80 are more than 5 %, with p = 1/32; of 79 four are, with 1/16.
        assert_eq!(telling_from(0.05, 0.95), 80);
        assert_eq!(telling_from(0.02, 0.95), 200);
    }
}
