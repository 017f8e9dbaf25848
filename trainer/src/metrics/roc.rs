//! The receiver operating characteristic: what flagging more costs.

/// The curve of a score: shares of controls and of cases at or over each threshold, from (0, 0) to (1, 1); only its corners.
/// Equal scores are flagged together. `None` without cases or without controls. Its area is [`super::area`].
pub fn roc(images: impl IntoIterator<Item = (f64, bool)>) -> Option<Vec<(f64, f64)>> {
    let mut scored: Vec<(f64, bool)> = images.into_iter().collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let cases = scored.iter().filter(|(_, case)| *case).count();
    let controls = scored.len() - cases;
    if cases == 0 || controls == 0 {
        return None;
    }
    let (mut hits, mut alarms) = (0, 0);
    let mut curve = vec![(0.0, 0.0)];
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let tied_cases = tied.iter().filter(|(_, case)| *case).count();
        hits += tied_cases;
        alarms += tied.len() - tied_cases;
        let point = (alarms as f64 / controls as f64, hits as f64 / cases as f64);
        let straight = |a: (f64, f64), b: (f64, f64)| (a.0 == b.0 && b.0 == point.0) || (a.1 == b.1 && b.1 == point.1);
        if let [.., before, last] = curve[..]
            && straight(before, last)
        {
            curve.pop();
        }
        curve.push(point);
    }
    Some(curve)
}

#[cfg(test)]
mod tests {
    use super::super::area;
    use super::roc;

    #[test]
    fn the_curve_has_a_corner_where_cases_give_way_to_controls_and_ties_are_slanted() {
        let scores = [(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.5, true), (0.5, false), (0.1, false)];
        let third = 1.0 / 3.0;
        let curve = [(0.0, 0.0), (0.0, 0.5), (third, 0.5), (third, 0.75), (2.0 * third, 1.0), (1.0, 1.0)];
        assert_eq!(roc(scores).unwrap(), curve);
        assert_eq!(roc([(0.5, true)]), None);
    }

    #[test]
    fn the_area_under_the_curve_is_the_auc() {
        let scores: Vec<(f64, bool)> = (0..200).map(|i| (f64::from(i * 37 % 23), i * 11 % 7 < 3)).collect();
        let curve = roc(scores.iter().copied()).unwrap();
        let trapezoids = curve.windows(2).map(|p| (p[1].0 - p[0].0) * (p[1].1 + p[0].1) / 2.0).sum::<f64>();
        assert!((trapezoids - area(scores).unwrap()).abs() < 1e-12);
    }
}
