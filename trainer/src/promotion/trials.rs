//! Images that both models were asked about, and by patient.

use std::collections::BTreeMap;

/// Images of one patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cluster {
    /// How many; over 0.
    pub images: usize,
    /// Of them right by the champion and wrong by the challenger.
    pub lost: usize,
    /// Of them wrong by the champion and right by the challenger.
    pub gained: usize,
}

impl Cluster {
    /// How many more of them the challenger has right.
    pub fn net(&self) -> isize {
        self.gained as isize - self.lost as isize
    }
}

/// Patients with their images; one of unknown patient stands for itself. Each image is whose it is, and whether the
/// champion and whether the challenger has it right.
pub fn clusters<'a>(images: impl IntoIterator<Item = (Option<&'a str>, [bool; 2])>) -> Vec<Cluster> {
    let mut patients = BTreeMap::<&str, Cluster>::new();
    let mut clusters = Vec::new();
    for (patient, [champion, challenger]) in images {
        let (lost, gained) = (usize::from(champion && !challenger), usize::from(challenger && !champion));
        match patient {
            None => clusters.push(Cluster { images: 1, lost, gained }),
            Some(patient) => {
                let cluster = patients.entry(patient).or_default();
                cluster.images += 1;
                cluster.lost += lost;
                cluster.gained += gained;
            }
        }
    }
    clusters.extend(patients.into_values());
    clusters
}

/// McNemar's exact test, one-sided: how likely so many patients or more were to lose, of those that lost or gained, were the
/// challenger as good. A patient counts once, by whether it lost more images than it gained (a sign test); where each has
/// one image, that is McNemar's test of the images.
pub fn chance_of_the_fall(clusters: &[Cluster]) -> f64 {
    let lost = clusters.iter().filter(|cluster| cluster.net() < 0).count();
    let gained = clusters.iter().filter(|cluster| cluster.net() > 0).count();
    at_least(lost, lost + gained)
}

/// Clusters from which on a fall by just more than the margin is significant, were it all loss and no gain: in fewer of
/// them it could not be told from chance.
pub fn telling_from(margin: f64, confidence: f64) -> usize {
    let needed = (1..).find(|lost| at_least(*lost, *lost) <= 1.0 - confidence + 1e-12).unwrap_or(usize::MAX);
    // From here on nothing less than `needed` is over the margin. A trace less, for what rounding adds.
    ((needed - 1) as f64 / margin.max(1e-6) - 1e-6).ceil() as usize
}

/// The probability of at least `heads` in `of` throws of a fair coin.
fn at_least(heads: usize, of: usize) -> f64 {
    if heads == 0 {
        return 1.0;
    }
    let ways: f64 = (1..=heads).map(|i| ((of - heads + i) as f64 / i as f64).ln()).sum();
    let mut chance = (ways - of as f64 * std::f64::consts::LN_2).exp();
    let mut sum = 0.0;
    for k in heads..=of {
        sum += chance;
        chance *= (of - k) as f64 / (k + 1) as f64;
    }
    f64::min(sum, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{Cluster, at_least, chance_of_the_fall, clusters, telling_from};
    use crate::metrics::McNemar;

    #[test]
    fn images_of_a_patient_are_one_cluster_and_those_of_nobody_one_each() {
        let images = [
            (Some("a"), [true, false]),
            (None, [true, true]),
            (Some("b"), [false, true]),
            (Some("a"), [false, true]),
            (None, [true, false]),
            (Some("a"), [true, false]),
        ];
        let cluster = |images, lost, gained| Cluster { images, lost, gained };
        let expected = [cluster(1, 0, 0), cluster(1, 1, 0), cluster(3, 2, 1), cluster(1, 0, 1)];
        assert_eq!(clusters(images), expected);
    }

    #[test]
    fn of_single_images_the_test_is_half_of_mcnemars_two_sided_one() {
        for (lost, gained) in [(6, 0), (7, 1), (8, 2), (15, 9)] {
            let image = |i| [i < lost, i >= lost];
            let two_sided = McNemar::of((0..lost + gained).map(image)).p;
            let p = chance_of_the_fall(&clusters((0..lost + gained).map(|i| (None, image(i)))));
            assert!((2.0 * p - two_sided).abs() < 1e-12, "{lost} {gained}: {p}");
        }
        assert_eq!(chance_of_the_fall(&[]), 1.0);
        assert!((at_least(1000, 2000) - 0.5).abs() < 0.01 && (at_least(0, 5), at_least(5, 5)) == (1.0, 1.0 / 32.0));
    }

    #[test]
    fn ten_images_lost_of_one_patient_are_one_loss() {
        let images = (0..10).map(|_| (Some("a"), [true, false])).chain([(None, [true, false])]);
        assert_eq!(chance_of_the_fall(&clusters(images)), 0.25);
    }

    #[test]
    fn below_eighty_images_a_fall_by_five_points_cannot_be_told_from_chance() {
        // Five lost of 80 are more than 5 %, with p = 1/32; of 79 four are, with 1/16.
        assert_eq!(telling_from(0.05, 0.95), 80);
        assert_eq!(telling_from(0.02, 0.95), 200);
    }
}
