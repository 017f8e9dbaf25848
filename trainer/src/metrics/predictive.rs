//! What a flag is worth where injuries are rare.

use super::Proportion;
use super::wilson::Z;

/// Share of flags that are injuries at a prevalence (Bayes): p·Se / (p·Se + (1 − p)·(1 − Sp)). `None` where nothing is
/// flagged, or sensitivity or specificity is unknown.
pub fn ppv(sensitivity: Proportion, specificity: Proportion, prevalence: f64) -> Option<f64> {
    let hits = prevalence * sensitivity.value()?;
    let false_alarms = (1.0 - prevalence) * (1.0 - specificity.value()?);
    (hits + false_alarms > 0.0).then(|| hits / (hits + false_alarms))
}

/// Its 95 % interval: the adjusted logit of Mercaldo, Lau and Zhou (Stat Med 2007, 26:2170), which two successes and two
/// failures added to each sample keep finite. Widened, if need be, to hold the value itself.
pub fn ppv_interval(sensitivity: Proportion, specificity: Proportion, prevalence: f64) -> Option<[f64; 2]> {
    let value = ppv(sensitivity, specificity, prevalence)?;
    let adjusted = |p: Proportion| ((p.count as f64 + Z * Z / 2.0) / (p.of as f64 + Z * Z), p.of as f64 + Z * Z);
    let ((se, injuries), (sp, normals)) = (adjusted(sensitivity), adjusted(specificity));
    let logit = (prevalence * se / ((1.0 - prevalence) * (1.0 - sp))).ln();
    let deviation = ((1.0 - se) / (se * injuries) + sp / ((1.0 - sp) * normals)).sqrt();
    let [low, high] = [-Z, Z].map(|z| 1.0 / (1.0 + (-(logit + z * deviation)).exp()));
    Some([low.min(value), high.max(value)])
}

#[cfg(test)]
mod tests {
    use super::{Proportion, ppv, ppv_interval};

    const fn of(count: usize, of: usize) -> Proportion {
        Proportion { count, of }
    }

    #[test]
    fn a_good_flag_is_mostly_wrong_where_injuries_are_rare() {
        // Se 0.95, Sp 0.90 at 3 %: 0.0285 of 0.0285 + 0.097.
        let value = ppv(of(95, 100), of(90, 100), 0.03).unwrap();
        assert!((value - 0.0285 / 0.1255).abs() < 1e-12);
        let [low, high] = ppv_interval(of(95, 100), of(90, 100), 0.03).unwrap();
        assert!(low < value && value < high && low > 0.10 && high < 0.40, "{low} {high}");
    }

    #[test]
    fn the_interval_grows_narrower_with_more_images() {
        let width = |n: usize| {
            let [low, high] = ppv_interval(of(95 * n, 100 * n), of(90 * n, 100 * n), 0.03).unwrap();
            high - low
        };
        assert!(width(100) < width(10) / 2.0 && width(10) < width(1) / 2.0);
    }

    #[test]
    fn without_a_false_alarm_the_value_is_one_and_the_interval_does_not_believe_it() {
        assert_eq!(ppv(of(9, 10), of(50, 50), 0.03), Some(1.0));
        let [low, high] = ppv_interval(of(9, 10), of(50, 50), 0.03).unwrap();
        assert!(low < 0.8 && high == 1.0);
        assert_eq!(ppv(of(0, 10), of(50, 50), 0.03), None);
        assert_eq!(ppv(of(0, 0), of(50, 50), 0.03), None);
    }
}
