//! Films that are none of a lateral cervical spine: made of nothing, or of a film that is one.

use cspine_domain::Orientation;
use cspine_imaging::Radiograph;
use cspine_nets::init::normal;
use rand::Rng;
use rand::rngs::StdRng;

/// A way to be out of scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Every pixel's grey by itself, all alike likely.
    UniformNoise,
    /// Every pixel's grey by itself about a mean.
    GaussianNoise,
    /// Clouds: noise of several widths.
    SmoothNoise,
    /// Hardly exposed: dark, with a little noise.
    Black,
    /// One grey with a fall-off and a little noise.
    Blank,
    /// White for black.
    Inverted,
    /// Turned by half a turn, or mirrored top to bottom.
    UpsideDown,
    /// A window of the film beside or above the spine.
    CroppedAway,
    /// Turned by a quarter to either side.
    QuarterTurn,
    /// Turned by 45 to 135 degrees to either side.
    Turned,
}

impl Outside {
    /// All of them.
    pub const ALL: [Outside; 10] = [
        Outside::UniformNoise,
        Outside::GaussianNoise,
        Outside::SmoothNoise,
        Outside::Black,
        Outside::Blank,
        Outside::Inverted,
        Outside::UpsideDown,
        Outside::CroppedAway,
        Outside::QuarterTurn,
        Outside::Turned,
    ];

    /// Whether it is a film in scope that is turned: the gate is to know that it is, and a worker to turn it back.
    pub fn is_turned(self) -> bool {
        matches!(self, Outside::UpsideDown | Outside::QuarterTurn | Outside::Turned)
    }

    /// Its word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Outside::UniformNoise => "uniform noise",
            Outside::GaussianNoise => "gaussian noise",
            Outside::SmoothNoise => "smooth noise",
            Outside::Black => "black",
            Outside::Blank => "blank",
            Outside::Inverted => "inverted",
            Outside::UpsideDown => "upside down",
            Outside::CroppedAway => "spine cropped away",
            Outside::QuarterTurn => "turned by 90 or 270 degrees",
            Outside::Turned => "turned by 45 to 135 degrees",
        }
    }

    /// A film of this sort, of the size of one that is in scope or a part of it.
    pub fn of(self, film: &Radiograph, rng: &mut StdRng) -> Radiograph {
        let (w, h) = (film.width as usize, film.height as usize);
        match self {
            Outside::UniformNoise => painted(w, h, |_, _| rng.random()),
            Outside::GaussianNoise => {
                let (mean, deviation) = (rng.random_range(0.3..0.7), rng.random_range(0.03..0.25));
                painted(w, h, |_, _| mean + deviation * normal(rng))
            }
            Outside::SmoothNoise => clouds(w, h, rng),
            Outside::Black => {
                let deviation = rng.random_range(0.001..0.02);
                painted(w, h, |_, _| (deviation * normal(rng)).abs())
            }
            Outside::Blank => {
                let (mean, deviation) = (rng.random_range(0.1..0.9), rng.random_range(0.001..0.02));
                let [across, down] = [(); 2].map(|()| rng.random_range(-0.1f32..0.1));
                painted(w, h, |x, y| mean + across * (x - 0.5) + down * (y - 0.5) + deviation * normal(rng))
            }
            Outside::Inverted => {
                let luminance = film.luminance.iter().map(|v| u16::MAX - v).collect();
                Radiograph { luminance, padding: 0, header: None, ..film.clone() }
            }
            Outside::UpsideDown => {
                let turned = rng.random_bool(0.5);
                oriented(film, Orientation::new(2, !turned))
            }
            Outside::CroppedAway => cropped_away(film, rng),
            Outside::QuarterTurn => {
                let clockwise = rng.random_bool(0.5);
                oriented(film, Orientation::new(if clockwise { 1 } else { 3 }, false))
            }
            Outside::Turned => {
                let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
                turned(film, sign * rng.random_range(45.0f32..135.0).to_radians())
            }
        }
    }
}

/// The film turned and mirrored, as if it were stored so. It is in scope all the same.
pub fn oriented(film: &Radiograph, orientation: Orientation) -> Radiograph {
    Radiograph { header: None, ..film.clone() }.oriented(orientation)
}

/// A film of greys from 0 to 1, asked for row by row with the place as shares of the sides.
fn painted(w: usize, h: usize, mut grey: impl FnMut(f32, f32) -> f32) -> Radiograph {
    let mut luminance = Vec::with_capacity(w * h);
    for y in 0..h {
        for x in 0..w {
            let value = grey(x as f32 / w as f32, y as f32 / h as f32);
            luminance.push((value.clamp(0.0, 1.0) * 65535.0) as u16);
        }
    }
    Radiograph::grey(w as u32, h as u32, luminance)
}

/// Greys between points of random grey, 2 to 48 of them a side, each finer grid fainter.
fn clouds(w: usize, h: usize, rng: &mut StdRng) -> Radiograph {
    let (mut cells, most) = (rng.random_range(2..6usize), rng.random_range(6..=48usize));
    let (mut sum, mut weight) = (vec![0.0f32; w * h], 1.0f32);
    while cells <= most {
        let points: Vec<f32> = (0..(cells + 1).pow(2)).map(|_| rng.random_range(-1.0..1.0)).collect();
        for (i, value) in sum.iter_mut().enumerate() {
            let (u, v) = ((i % w * cells) as f32 / w as f32, (i / w * cells) as f32 / h as f32);
            let (x, y) = (u as usize, v as usize);
            let (fx, fy) = (u - x as f32, v - y as f32);
            let row = |y: usize| points[y * (cells + 1) + x] * (1.0 - fx) + points[y * (cells + 1) + x + 1] * fx;
            *value += weight * (row(y) * (1.0 - fy) + row(y + 1) * fy);
        }
        (cells, weight) = (cells * 2, weight * 0.6);
    }
    painted(w, h, |x, y| 0.5 + 0.3 * sum[(y * h as f32).round() as usize * w + (x * w as f32).round() as usize])
}

/// Another order of the pixels: `from` tells where the pixel at a place comes from.
fn moved(film: &Radiograph, w: usize, h: usize, from: impl Fn(usize, usize) -> (usize, usize)) -> Radiograph {
    let width = film.width as usize;
    let place = |i: usize| {
        let (x, y) = from(i % w, i / w);
        y * width + x
    };
    let luminance = (0..w * h).map(|i| film.luminance[place(i)]).collect();
    Radiograph { colour: film.colour, padding: film.padding, ..Radiograph::grey(w as u32, h as u32, luminance) }
}

/// Turned about its middle by some radians; corners that come from outside continue the edge.
fn turned(film: &Radiograph, angle: f32) -> Radiograph {
    let (w, h) = (film.width as usize, film.height as usize);
    let (sin, cos) = angle.sin_cos();
    let (cx, cy) = ((w as f32 - 1.0) / 2.0, (h as f32 - 1.0) / 2.0);
    moved(film, w, h, |x, y| {
        let (u, v) = (x as f32 - cx, y as f32 - cy);
        let at = |value: f32, last: usize| (value.round().max(0.0) as usize).min(last);
        (at(cos * u - sin * v + cx, w - 1), at(sin * u + cos * v + cy, h - 1))
    })
}

/// A window before the spine, behind it or over it: no vertebral body is in it, where the spine runs down the middle of
/// the film as in phantoms and in films that are taken well.
fn cropped_away(film: &Radiograph, rng: &mut StdRng) -> Radiograph {
    loop {
        // Shares of width and height: from, to.
        let [[x0, x1], [y0, y1]] = match rng.random_range(0..5) {
            0 | 1 => [span(0.0, rng.random_range(0.22..0.32)), anywhere(rng.random_range(0.25..1.0), rng)],
            2 | 3 => [span(1.0 - rng.random_range(0.2..0.27), 1.0), anywhere(rng.random_range(0.25..1.0), rng)],
            _ => [anywhere(rng.random_range(0.4..1.0), rng), span(0.0, rng.random_range(0.14..0.2))],
        };
        let at = |share: f32, side: u32| (share * side as f32) as usize;
        let (left, top) = (at(x0, film.width), at(y0, film.height));
        let (w, h) = (at(x1, film.width) - left, at(y1, film.height) - top);
        let window = moved(film, w, h, |x, y| (left + x, top + y));
        // A black corner is no question for the gate.
        if window.assessable().is_ok() {
            return window;
        }
    }
}

fn span(from: f32, to: f32) -> [f32; 2] {
    [from, to]
}

fn anywhere(length: f32, rng: &mut StdRng) -> [f32; 2] {
    let from = rng.random_range(0.0..=1.0 - length);
    span(from, from + length)
}

#[cfg(test)]
mod tests {
    use cspine_domain::Orientation;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{Outside, Radiograph, oriented};

    /// 4 × 3 pixels scaled up: no two alike.
    fn film() -> Radiograph {
        let (w, h) = (400, 300);
        let luminance = (0..w * h).map(|i| (i % 65521) as u16).collect();
        Radiograph::grey(w, h, luminance)
    }

    #[test]
    fn every_sort_is_another_film_that_the_worker_would_assess_and_the_same_for_one_seed() {
        for outside in Outside::ALL {
            let made = |seed: u64| outside.of(&film(), &mut StdRng::seed_from_u64(seed));
            let one = made(5);
            assert_eq!(one.assessable(), Ok(()), "{}", outside.as_str());
            assert_eq!(one.luminance.len(), (one.width * one.height) as usize);
            assert_ne!(one.luminance, film().luminance, "{}", outside.as_str());
            assert_eq!(one.luminance, made(5).luminance, "{}", outside.as_str());
        }
    }

    #[test]
    fn a_film_upside_down_has_its_last_row_first_and_a_mirrored_one_its_last_column() {
        let (film, mut rng) = (film(), StdRng::seed_from_u64(1));
        let (first, last) = (film.luminance[0], film.luminance[400 * 300 - 1]);
        for _ in 0..8 {
            let down = Outside::UpsideDown.of(&film, &mut rng).luminance;
            assert!(down[0] == last || down[399] == last);
            assert!(down[400 * 299] == first || down[400 * 300 - 1] == first);
        }
        assert_eq!(oriented(&film, Orientation::MIRRORED).luminance[399], first);
    }

    #[test]
    fn a_quarter_turn_swaps_the_sides() {
        let turned = Outside::QuarterTurn.of(&film(), &mut StdRng::seed_from_u64(1));
        assert_eq!((turned.width, turned.height), (300, 400));
        let corners = [turned.luminance[299], turned.luminance[300 * 399]];
        assert!(corners.contains(&film().luminance[0]), "the first pixel is in the top right or bottom left corner");
    }
}
