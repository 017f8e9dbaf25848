use std::sync::mpsc::channel;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use super::super::conv::{Extent, Packed, Sums, Window, forward, input_gradient, weight_gradient};
use super::{COARSE, serves};
use crate::close::assert_close;

/// A convolution and its gradients by their definition, in f64.
struct Defined {
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
}

fn defined(x: (&[f32], Extent), w: &[f32], dy: (&[f32], Extent), padding: usize) -> Defined {
    let ((x, extent), (dy, out)) = (x, dy);
    let mut all = Defined { y: vec![0.0; dy.len()], dx: vec![0.0; x.len()], dw: vec![0.0; w.len()] };
    for image in 0..out.images {
        for (row, column) in (0..out.height).flat_map(|row| (0..out.width).map(move |column| (row, column))) {
            let to = out.pixel(image, row, column).unwrap();
            for tap in 0..9 {
                let place = [row + tap / 3, column + tap % 3].map(|at| at.wrapping_sub(padding));
                let Some(at) = extent.pixel(image, place[0], place[1]) else { continue };
                for (o, i) in (0..out.channels).flat_map(|o| (0..extent.channels).map(move |i| (o, i))) {
                    let (weight, dy) = ((o * extent.channels + i) * 9 + tap, f64::from(dy[to + o]));
                    all.y[to + o] += f64::from(x[at + i]) * f64::from(w[weight]);
                    all.dx[at + i] += dy * f64::from(w[weight]);
                    all.dw[weight] += f64::from(x[at + i]) * dy;
                }
            }
        }
    }
    all
}

/// The transformations of 4 × 4 tiles multiply by up to 8 what they then take from each other: some 5e-6.
const TILES: f64 = 2e-5;

#[test]
fn it_is_the_convolution_and_its_gradients_with_tiles_that_reach_over_every_edge() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
    for (height, width, ins, outs, padding, images) in
        [(18, 17, 16, 32, 1, 3), (13, 13, 32, 16, 0, 5), (9, 30, 16, 48, 2, 3), (28, 27, 48, 16, 1, 1)]
    {
        let extent = Extent { images, height, width, channels: ins };
        let window = Window { kernel: 3, stride: 1, padding };
        let out = window.output(extent, outs);
        assert!(serves(COARSE, extent, window, outs));
        let (x, w, dy) = (draw(extent.len()), draw(outs * ins * 9), draw(out.len()));
        let expected = defined((&x, extent), &w, (&dy, out), padding);
        let dims = [outs, ins, 3];
        let y = forward(&x, extent, &Packed::forward(&w, dims), window, false, Sums::Tiled).0;
        assert_close(&y, &expected.y, TILES);
        let turned = Packed::input_gradient(&w, dims, window);
        assert_close(&input_gradient(&dy, None, extent, &turned, window, outs), &expected.dx, TILES);
        assert_close(&weight_gradient(&x, extent, &dy, window, outs), &expected.dw, TILES);
    }
}

#[test]
fn bias_is_added_before_what_is_negative_is_clipped_and_a_mask_takes_gradients_out() {
    let extent = Extent { images: 1, height: 28, width: 28, channels: 16 };
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    assert!(serves(COARSE, extent, window, 16));
    let weights = Packed::forward(&vec![0.0; 16 * 16 * 9], [16, 16, 3]);
    let bias: Vec<f32> = (0..16).map(|o| if o % 2 == 0 { -1.5 } else { o as f32 }).collect();
    let (y, _) = forward(&vec![1.0; extent.len()], extent, &weights.with_bias(&bias), window, true, Sums::Tiled);
    assert!(y.chunks(16).all(|pixel| pixel.iter().enumerate().all(|(o, y)| *y == bias[o].max(0.0))));
    let turned = Packed::input_gradient(&vec![1.0; 16 * 16 * 9], [16, 16, 3], window);
    let masked = input_gradient(&vec![1.0; extent.len()], Some(&vec![0.0; extent.len()]), extent, &turned, window, 16);
    assert!(masked.iter().all(|dx| *dx == 0.0));
}

#[test]
fn many_first_convolutions_by_the_same_weights_at_once_do_not_wait_for_each_other() {
    let extent = Extent { images: 1, height: 14, width: 14, channels: 64 };
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    let x = vec![1.0; extent.len()];
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        for _ in 0..50 {
            let weights = Packed::forward(&vec![0.5; 192 * 64 * 9], [192, 64, 3]);
            let convolution = |_| forward(&x, extent, &weights, window, false, Sums::Tiled).0;
            let all: Vec<Vec<f32>> = pool.install(|| (0..8).into_par_iter().with_max_len(1).map(convolution).collect());
            send.send(all).unwrap();
        }
    });
    for _ in 0..50 {
        let all = receive.recv_timeout(Duration::from_secs(60)).expect("no thread waits for itself");
        assert!(all.iter().all(|y| *y == all[0]));
    }
}

#[test]
#[should_panic(expected = "weights serve one size of tiles")]
fn weights_transformed_for_one_size_of_tiles_are_refused_by_the_other() {
    let extent = Extent { images: 1, height: 28, width: 28, channels: 16 };
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    let (x, weights) = (vec![1.0; extent.len()], Packed::forward(&vec![0.5; 16 * 16 * 9], [16, 16, 3]));
    forward(&x, extent, &weights, window, false, Sums::Tiled);
    input_gradient(&x, None, extent, &weights, window, 16);
}

#[test]
#[should_panic(expected = "weights fit the window")]
fn weights_packed_for_fewer_taps_are_refused() {
    let strided = Window { kernel: 2, stride: 2, padding: 0 };
    let weights = Packed::input_gradient(&[0.5; 12 * 4], [12, 1, 2], strided);
    let extent = Extent { images: 1, height: 5, width: 5, channels: 4 };
    let window = Window { kernel: 3, stride: 1, padding: 0 };
    forward(&vec![1.0; extent.len()], extent, &weights, window, false, Sums::Direct);
}
