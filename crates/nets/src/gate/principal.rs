//! Principal components by orthogonal iteration: the covariance is only ever multiplied with, never written down.

use candle_core::{D, Device, Result, Tensor};

use crate::init::normal_matrix;

/// Directions beyond those asked for, which make the last ones converge sooner (Halko et al. 2011, arXiv 0909.4061).
const SPARE: usize = 8;
const ITERATIONS: usize = 24;

/// The largest components of some vectors.
#[derive(Debug)]
pub(super) struct Principal {
    /// `[f]`.
    pub mean: Vec<f32>,
    /// `[k, f]`: orthonormal rows, the largest variance first.
    pub components: Vec<f32>,
    /// Along each.
    pub variances: Vec<f64>,
    /// Over all directions.
    pub total_variance: f64,
}

/// The `count` largest components of vectors of one length. The same vectors give the same components.
pub(super) fn principal_components(vectors: &[Vec<f32>], count: usize) -> Result<Principal> {
    let (n, f) = (vectors.len(), vectors[0].len());
    let width = (count + SPARE).min(f);
    let x = Tensor::from_vec(vectors.concat(), (n, f), &Device::Cpu)?;
    let mean = x.mean(0)?;
    let x = x.broadcast_sub(&mean)?;
    let total_variance = f64::from(x.sqr()?.sum(0)?.sum(D::Minus1)?.to_scalar::<f32>()?) / n as f64;
    let transposed = x.t()?.contiguous()?;
    let mut basis = orthonormal(&normal_matrix(0x4741_5445, (f, width), 1.0)?)?;
    for _ in 0..ITERATIONS {
        basis = orthonormal(&transposed.matmul(&x.matmul(&basis)?)?)?;
    }
    // Within that space the covariance is small: its axes are found exactly (Rayleigh and Ritz).
    let inside = x.matmul(&basis)?;
    let inside = (inside.t()?.contiguous()?.matmul(&inside)? / n as f64)?;
    let inside = inside.to_vec2::<f32>()?.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect();
    let axes = symmetric_eigen(inside);
    let chosen: Vec<f32> = axes.iter().take(count).flat_map(|axis| axis.vector.iter().map(|v| *v as f32)).collect();
    let chosen = Tensor::from_vec(chosen, (count, width), &Device::Cpu)?;
    let components = chosen.matmul(&basis.t()?.contiguous()?)?.flatten_all()?.to_vec1()?;
    let variances = axes.iter().take(count).map(|axis| axis.value).collect();
    Ok(Principal { mean: mean.to_vec1()?, components, variances, total_variance })
}

/// Orthonormal columns of the same span: Gram and Schmidt, twice over for their rounding.
fn orthonormal(columns: &Tensor) -> Result<Tensor> {
    let (f, k) = columns.dims2()?;
    let mut rows = columns.t()?.contiguous()?.to_vec2::<f32>()?;
    for i in 0..k {
        let (done, rest) = rows.split_at_mut(i);
        let row = &mut rest[0];
        for _ in 0..2 {
            for other in &*done {
                let along = dot(other, row) as f32;
                row.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
        }
        let length = dot(row, row).sqrt().max(f64::MIN_POSITIVE) as f32;
        row.iter_mut().for_each(|v| *v /= length);
    }
    Tensor::from_vec(rows.concat(), (k, f), &Device::Cpu)?.t()?.contiguous()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Sums of 64 in 32 bits keep the vector registers busy, and their sum in 64 bits the digits.
    let sums = a.chunks(64).zip(b.chunks(64)).map(|(a, b)| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>());
    sums.map(f64::from).sum()
}

/// An eigenvalue with its unit eigenvector.
#[derive(Debug, Clone)]
struct Axis {
    value: f64,
    vector: Vec<f64>,
}

/// The eigenvectors of a symmetric matrix, the largest eigenvalue first: Jacobi's rotations, sweep after sweep.
fn symmetric_eigen(mut a: Vec<Vec<f64>>) -> Vec<Axis> {
    let n = a.len();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let size: f64 = a.iter().flatten().map(|v| v * v).sum();
    for _ in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j] * a[i][j]).sum();
        if off <= 1e-24 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut vectors, p, q);
            }
        }
    }
    let mut axes: Vec<Axis> =
        vectors.into_iter().enumerate().map(|(i, vector)| Axis { value: a[i][i], vector }).collect();
    axes.sort_by(|a, b| b.value.total_cmp(&a.value));
    axes
}

/// Turns the axes p and q so that `a[p][q]` becomes zero (Golub and Van Loan, section 8.5).
fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let c = 1.0 / (1.0 + t * t).sqrt();
    let s = t * c;
    for row in a.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    for rows in [a, vectors] {
        let (before, from_q) = rows.split_at_mut(q);
        for (x, y) in before[p].iter_mut().zip(&mut from_q[0]) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{principal_components, symmetric_eigen};

    #[test]
    fn a_symmetric_matrix_is_rebuilt_from_its_eigenvectors() {
        let n = 12;
        let entry = |i: usize, j: usize| ((i * j) as f64 * 0.7).sin() + ((i + j) as f64).cos();
        let a: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect();
        let axes = symmetric_eigen(a.clone());
        assert!(axes.windows(2).all(|pair| pair[0].value >= pair[1].value));
        for (i, row) in a.iter().enumerate() {
            for (j, expected) in row.iter().enumerate() {
                let rebuilt: f64 = axes.iter().map(|axis| axis.value * axis.vector[i] * axis.vector[j]).sum();
                assert!((rebuilt - expected).abs() < 1e-10, "{rebuilt} against {expected}");
            }
        }
    }

    #[test]
    fn components_are_orthonormal_and_their_variances_those_along_them() {
        // Twenty directions with falling spread, mixed.
        let vector = |i: usize| -> Vec<f32> {
            (0..40).map(|d| (((i * 37 + d * 11) % 101) as f32 / 50.0 - 1.0) / (1.0 + (d % 20) as f32)).collect()
        };
        let vectors: Vec<Vec<f32>> = (0..300).map(vector).collect();
        let found = principal_components(&vectors, 5).unwrap();
        let rows: Vec<&[f32]> = found.components.chunks(40).collect();
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                let product: f32 = a.iter().zip(*b).map(|(x, y)| x * y).sum();
                assert!((product - f32::from(u8::from(i == j))).abs() < 1e-4, "{i}, {j}: {product}");
            }
            let along = |v: &Vec<f32>| v.iter().zip(&found.mean).zip(*a).map(|((x, m), c)| (x - m) * c).sum::<f32>();
            let variance = vectors.iter().map(|v| along(v).powi(2)).sum::<f32>() / 300.0;
            assert!((variance / found.variances[i] as f32 - 1.0).abs() < 1e-3, "{variance}, {}", found.variances[i]);
        }
        assert!(found.variances.windows(2).all(|pair| pair[0] >= pair[1]));
        assert!(found.variances.iter().sum::<f64>() <= found.total_variance);
    }
}
