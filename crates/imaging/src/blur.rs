//! The Gaussian blur.

/// Blurs a plane of `w * h` values, row by row, by a Gaussian of standard deviation `sigma` pixels, cut off at three of
/// them; beyond the edge lies the edge's value. A `sigma` of 0 changes nothing.
///
/// # Panics
/// If the plane's length is not `w * h`.
pub fn blur(plane: &[f32], w: usize, h: usize, sigma: f32) -> Vec<f32> {
    assert_eq!(plane.len(), w * h, "a plane has width times height values");
    let kernel = kernel(sigma);
    let radius = kernel.len() / 2;
    // Where a kernel's value at `place` draws from, on an axis of `len`.
    let source = |place: usize, k: usize, len: usize| (place + k).saturating_sub(radius).min(len - 1);
    let mut across = Vec::with_capacity(plane.len());
    for row in plane.chunks_exact(w.max(1)) {
        across.extend((0..w).map(|x| kernel.iter().enumerate().map(|(k, g)| g * row[source(x, k, w)]).sum::<f32>()));
    }
    let mut down = vec![0.0; plane.len()];
    for y in 0..h {
        for (k, g) in kernel.iter().enumerate() {
            let from = &across[source(y, k, h) * w..][..w];
            down[y * w..][..w].iter_mut().zip(from).for_each(|(sum, value)| *sum += g * value);
        }
    }
    down
}

/// The Gaussian's values at whole pixels; they sum to 1.
fn kernel(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil().max(0.0) as i32;
    let value = |i: i32| if radius == 0 { 1.0 } else { (-0.5 * (i as f32 / sigma).powi(2)).exp() };
    let sum: f32 = (-radius..=radius).map(value).sum();
    (-radius..=radius).map(|i| value(i) / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::blur;

    #[test]
    fn a_point_becomes_a_gaussian_of_the_same_sum() {
        let (w, h, sigma) = (41, 31, 2.5_f32);
        let mut plane = vec![0.0; w * h];
        plane[15 * w + 20] = 1.0;
        let blurred = blur(&plane, w, h, sigma);
        assert!((blurred.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let expected = |dx: f32, dy: f32| (-(dx * dx + dy * dy) / (2.0 * sigma * sigma)).exp();
        for (dx, dy) in [(1, 0), (0, 3), (4, 2)] {
            let ratio = blurred[(15 + dy) * w + 20 + dx] / blurred[15 * w + 20];
            assert!((ratio - expected(dx as f32, dy as f32)).abs() < 1e-4, "{dx} {dy}: {ratio}");
        }
    }

    #[test]
    fn a_constant_plane_stays_constant_up_to_its_edge_and_no_sigma_changes_nothing() {
        assert!(blur(&[0.5; 12], 4, 3, 6.0).iter().all(|v| (v - 0.5).abs() < 1e-6));
        let plane: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(blur(&plane, 4, 3, 0.0), plane);
    }
}
