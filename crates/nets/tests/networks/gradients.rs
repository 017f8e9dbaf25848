//! Each kernel's gradient against central differences, and convolution against its definition.

use cspine_nets::kernels::conv::{self, Extent, Packed, Sums, Window};
use cspine_nets::kernels::dense::{self, Dims};
use cspine_nets::kernels::norm;
use cspine_nets::kernels::pool::MaxPool;

use crate::close::assert_close;

/// Values in −1..1 that look random.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Holds `gradient` of `x ↦ ⟨f(x), weights⟩` against central differences in forty directions of one coordinate each.
fn assert_gradient(x: &[f32], gradient: &[f32], step: f32, value: impl Fn(&[f32]) -> f64) {
    let scale = gradient.iter().fold(0.0f32, |m, g| m.max(g.abs()));
    for k in 0..40 {
        let i = (k * 7919) % x.len();
        let moved = |by: f32| {
            let mut x = x.to_vec();
            x[i] += by;
            value(&x)
        };
        let difference = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
        let error = (difference - f64::from(gradient[i])).abs();
        assert!(error < 2e-3 * f64::from(scale.max(1.0)), "at {i}: {difference} against {}", gradient[i]);
    }
}

/// The definition, in float64, on `[images, height, width, channels]` and `[out, in, kernel, kernel]`.
fn convolution(x: &[f32], e: Extent, w: &[f32], outs: usize, window: Window) -> Vec<f64> {
    let out = window.output(e, outs);
    let mut y = vec![0.0; out.len()];
    for n in 0..out.images {
        for oy in 0..out.height {
            for ox in 0..out.width {
                for o in 0..outs {
                    let mut sum = 0.0;
                    for ky in 0..window.kernel {
                        for kx in 0..window.kernel {
                            let (iy, ix) = (oy * window.stride + ky, ox * window.stride + kx);
                            let (Some(iy), Some(ix)) = (iy.checked_sub(window.padding), ix.checked_sub(window.padding))
                            else {
                                continue;
                            };
                            if iy >= e.height || ix >= e.width {
                                continue;
                            }
                            for c in 0..e.channels {
                                let value = x[((n * e.height + iy) * e.width + ix) * e.channels + c];
                                let weight = w[((o * e.channels + c) * window.kernel + ky) * window.kernel + kx];
                                sum += f64::from(value) * f64::from(weight);
                            }
                        }
                    }
                    y[((n * out.height + oy) * out.width + ox) * outs + o] = sum;
                }
            }
        }
    }
    y
}

/// Every kind of window in the networks, with channel counts that do and do not fill vectors.
fn cases() -> Vec<(Extent, usize, Window)> {
    let extent = |images, height, width, channels| Extent { images, height, width, channels };
    let window = |kernel, stride, padding| Window { kernel, stride, padding };
    vec![
        (extent(2, 9, 7, 5), 24, window(1, 1, 0)),
        (extent(3, 8, 6, 16), 40, window(3, 1, 1)),
        (extent(1, 7, 7, 24), 64, window(3, 1, 1)),
        (extent(2, 17, 15, 3), 33, window(7, 2, 3)),
        (extent(1, 23, 23, 3), 20, window(11, 4, 2)),
        (extent(2, 9, 9, 8), 17, window(5, 1, 2)),
    ]
}

#[test]
fn convolution_is_its_definition_and_its_gradients_are_central_differences() {
    for (e, outs, window) in cases() {
        let dims = [outs, e.channels, window.kernel];
        let (x, w) = (noise(1, e.len()), noise(2, outs * e.channels * window.kernel * window.kernel));
        let run = |x: &[f32], w: &[f32]| conv::forward(x, e, &Packed::forward(w, dims), window, false, Sums::Direct).0;
        let y = run(&x, &w);
        // Up to 363 products: √363 · 2⁻²⁴ is 1e-6.
        assert_close(&y, &convolution(&x, e, &w, outs, window), 4e-6);
        let dy = noise(3, y.len());
        let dx = conv::input_gradient(&dy, None, e, &Packed::input_gradient(&w, dims, window), window, outs);
        assert_gradient(&x, &dx, 0.5, |x| dot(&run(x, &w), &dy));
        let dw = conv::weight_gradient(&x, e, &dy, window, outs);
        assert_gradient(&w, &dw, 0.5, |w| dot(&run(&x, w), &dy));
    }
}

#[test]
fn a_masked_input_gradient_is_that_of_the_relu_before_it() {
    let (e, outs, window) = cases()[1];
    let dims = [outs, e.channels, window.kernel];
    let (x, w) = (noise(1, e.len()), noise(2, outs * e.channels * 9));
    let bias = noise(5, outs);
    let packed = Packed::forward(&w, dims).with_bias(&bias);
    let (y, out) = conv::forward(&x, e, &packed, window, true, Sums::Direct);
    assert!(y.iter().all(|y| *y >= 0.0) && y.contains(&0.0));
    let dy = noise(3, out.len());
    let open: Vec<f32> = dy.iter().zip(&y).map(|(g, y)| if *y > 0.0 { *g } else { 0.0 }).collect();
    let turned = Packed::input_gradient(&w, dims, window);
    let masked = conv::input_gradient(&dy, Some(&y), e, &turned, window, outs);
    assert_eq!(masked, conv::input_gradient(&open, None, e, &turned, window, outs));
}

#[test]
fn a_pool_rounds_up_as_torchs_ceil_mode_does() {
    let side = |n: usize, pool: MaxPool| pool.output(Extent { images: 1, height: n, width: n, channels: 1 }).height;
    let halving = MaxPool { kernel: 3, stride: 2, padding: 0, ceil: true };
    // torch.nn.MaxPool2d(3, 2, ceil_mode=True) on 112, 56, 28, 27, 3.
    assert_eq!([112, 56, 28, 27, 3].map(|n| side(n, halving)), [56, 28, 14, 13, 1]);
    // torch.nn.MaxPool2d(2, 2, ceil_mode=True) on 14, 7; the last window of 7 has one column inside.
    assert_eq!([14, 7].map(|n| side(n, MaxPool { kernel: 2, stride: 2, padding: 0, ceil: true })), [7, 4]);
    // torch.nn.MaxPool2d(3, 1, padding=1, ceil_mode=True).
    assert_eq!(side(7, MaxPool { kernel: 3, stride: 1, padding: 1, ceil: true }), 7);
    // AlexNet's torch.nn.MaxPool2d(3, 2) on 56, 27, 13.
    assert_eq!([56, 27, 13].map(|n| side(n, MaxPool { ceil: false, ..halving })), [27, 13, 6]);
}

#[test]
fn a_pools_gradient_goes_to_the_first_largest_value() {
    for pool in [
        MaxPool { kernel: 3, stride: 2, padding: 0, ceil: true },
        MaxPool { kernel: 2, stride: 2, padding: 0, ceil: true },
        MaxPool { kernel: 3, stride: 1, padding: 1, ceil: true },
    ] {
        // Whole vectors of every width, and some channels over.
        let e = Extent { images: 2, height: 9, width: 8, channels: 21 };
        // Far apart, so that no small step changes which is largest.
        let mut x: Vec<f32> = (0..e.len()).map(|i| ((i * 7919) % e.len()) as f32 * 0.01).collect();
        let gradient = |x: &[f32], dy: &[f32]| pool.gradient(e, &pool.forward(x, e).places, dy);
        let out = pool.output(e);
        let dy = noise(3, out.len());
        assert_gradient(&x, &gradient(&x, &dy), 0.004, |x| dot(&pool.forward(x, e).values, &dy));
        let mut onto = vec![1.0; x.len()];
        pool.add_gradient(&mut onto, e, &pool.forward(&x, e).places, &dy);
        // One sum more, of at most nine.
        let expected: Vec<f32> = gradient(&x, &dy).iter().map(|dx| dx + 1.0).collect();
        assert_close(&onto, &expected, 1e-6);
        // All alike: torch gives each window's gradient to its first pixel.
        x.fill(1.0);
        let dx = gradient(&x, &vec![1.0; out.len()]);
        let mut expected = vec![0.0; x.len()];
        for i in 0..out.len() {
            let (n, rest) = (i / (out.height * out.width * e.channels), i % (out.height * out.width * e.channels));
            let (oy, ox, c) = (rest / (out.width * e.channels), rest / e.channels % out.width, rest % e.channels);
            let (iy, ix) =
                ((oy * pool.stride).saturating_sub(pool.padding), (ox * pool.stride).saturating_sub(pool.padding));
            expected[((n * e.height + iy) * e.width + ix) * e.channels + c] += 1.0;
        }
        assert_eq!(dx, expected);
    }
}

#[test]
fn a_pool_hands_a_nan_on_from_wherever_in_its_window() {
    let pool = MaxPool { kernel: 3, stride: 1, padding: 1, ceil: true };
    let e = Extent { images: 1, height: 3, width: 3, channels: 21 };
    for at in 0..9 {
        let mut x = noise(at as u64, e.len());
        x[at * e.channels..][..e.channels].fill(f32::NAN);
        let middle = &pool.forward(&x, e).values[4 * e.channels..][..e.channels];
        assert!(middle.iter().all(|y| y.is_nan()), "{at}");
    }
}

#[test]
fn batch_norms_gradients_are_central_differences() {
    let (rows, channels, eps) = (700, 6, 1e-3);
    let x = noise(1, rows * channels);
    let gamma: Vec<f32> = noise(2, channels).iter().map(|g| 1.0 + 0.5 * g).collect();
    // So far from zero that no step crosses the ReLU's kink: five channels open, one shut.
    let beta = [6.0, 6.0, -6.0, 6.0, 6.0, 6.0];
    let dy = noise(4, rows * channels);
    let value = |x: &[f32], gamma: &[f32], beta: &[f32]| {
        dot(&norm::forward(x, &norm::moments(x, channels), gamma, beta, eps), &dy)
    };
    let moments = norm::moments(&x, channels);
    let y = norm::forward(&x, &moments, &gamma, &beta, eps);
    assert!(y.contains(&0.0) && y.iter().any(|y| *y > 0.0));
    let pass = norm::Pass { x: &x, y: &y, moments: &moments, gamma: &gamma, eps, of_batch: true };
    let gradients = norm::backward(pass, dy.clone());
    assert_gradient(&x, &gradients.x, 1e-2, |x| value(x, &gamma, &beta));
    assert_gradient(&gamma, &gradients.gamma, 1e-3, |gamma| value(&x, gamma, &beta));
    assert_gradient(&beta, &gradients.beta, 1e-3, |beta| value(&x, &gamma, beta));
}

#[test]
fn constant_moments_have_no_gradient() {
    let channels = 4;
    let x = noise(1, 100 * channels);
    let (gamma, beta, dy) = (vec![1.5; channels], vec![0.2; channels], noise(2, 100 * channels));
    let moments = norm::Moments { mean: vec![0.1; channels], variance: vec![0.5; channels] };
    let y = norm::forward(&x, &moments, &gamma, &beta, 1e-3);
    let pass = norm::Pass { x: &x, y: &y, moments: &moments, gamma: &gamma, eps: 1e-3, of_batch: false };
    let scale = 1.5 / 0.501f32.sqrt();
    let expected: Vec<f32> = dy.iter().zip(&y).map(|(dy, y)| if *y > 0.0 { dy * scale } else { 0.0 }).collect();
    // A few products and a root: no sums.
    assert_close(&norm::backward(pass, dy).x, &expected, 1e-6);
}

#[test]
fn a_dense_layer_and_its_gradients_are_their_definitions() {
    // Whole tiles and vectors, and some rows, outputs and values over.
    let dims = Dims { n: 6, k: 1024 + 37, outs: 35 };
    let (x, w) = (noise(1, dims.n * dims.k), noise(2, dims.outs * dims.k));
    let (bias, dy) = (noise(3, dims.outs), noise(4, dims.n * dims.outs));
    // Up to 1061 products: √1061 · 2⁻²⁴ is 2e-6.
    let close = |found: Vec<f32>, expected: &dyn Fn(usize) -> f32| {
        assert_close(&found, &(0..found.len()).map(expected).collect::<Vec<_>>(), 1e-5);
    };
    let row = |of: &[f32], i: usize| of[i * dims.k..][..dims.k].to_vec();
    let y = |at: usize| bias[at % dims.outs] + dot(&row(&x, at / dims.outs), &row(&w, at % dims.outs)) as f32;
    close(dense::forward(&x, &w, &bias, dims, false), &y);
    close(dense::forward(&x, &w, &bias, dims, true), &|at| y(at).max(0.0));
    close(dense::input_gradient(&dy, &w, dims), &|at| {
        let (i, k) = (at / dims.k, at % dims.k);
        (0..dims.outs).map(|o| dy[i * dims.outs + o] * w[o * dims.k + k]).sum()
    });
    close(dense::weight_gradient(&x, &dy, dims), &|at| {
        let (o, k) = (at / dims.k, at % dims.k);
        (0..dims.n).map(|i| dy[i * dims.outs + o] * x[i * dims.k + k]).sum()
    });
}
