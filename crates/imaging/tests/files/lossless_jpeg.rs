//! Lossless JPEG (ITU-T T.81 annex H) in every combination, from an encoder that stands here.

use cspine_imaging::{Limits, decode};

const WIDTH: usize = 23;
const HEIGHT: usize = 19;

/// How a picture is coded.
#[derive(Debug, Clone, Copy)]
struct Form {
    precision: u32,
    predictor: u8,
    point_transform: u32,
    /// 0 for none.
    lines_between_restarts: usize,
    components: usize,
    /// A scan for all components, or one for each.
    interleaved: bool,
    /// Whether the number of lines stands behind the first scan.
    lines_behind: bool,
    ended: bool,
}

const PLAIN: Form = Form {
    precision: 16,
    predictor: 1,
    point_transform: 0,
    lines_between_restarts: 0,
    components: 1,
    interleaved: true,
    lines_behind: false,
    ended: true,
};

/// Bits in the order in which they are coded.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.pending = self.pending << 1 | (value >> bit & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.pending as u8);
                if self.pending as u8 == 0xff {
                    self.bytes.push(0);
                }
                (self.pending, self.count) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count != 0 {
            self.put(1, 1);
        }
        self.bytes
    }
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

/// Samples that use the whole range: a slope, a block and noise.
fn picture(form: &Form) -> Vec<u16> {
    let max = (1_u32 << form.precision) - 1;
    let mut state = 12345_u32;
    let sample = |at: usize| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        let (x, y) = (at / form.components % WIDTH, at / form.components / WIDTH);
        match () {
            () if y > 14 => state >> 8 & max,
            () if (5..9).contains(&x) => max,
            () => (max * (x + y + at % form.components) as u32 / 50).wrapping_add(state >> 29) & max,
        }
    };
    (0..WIDTH * HEIGHT * form.components).map(sample).map(|sample| sample as u16).collect()
}

fn encode(samples: &[u16], form: &Form) -> Vec<u8> {
    let Form { precision, predictor, point_transform, components, .. } = *form;
    let lines = if form.lines_behind { 0 } else { HEIGHT as u16 };
    let mut frame = vec![precision as u8];
    frame.extend([lines, WIDTH as u16].map(u16::to_be_bytes).concat());
    frame.push(components as u8);
    frame.extend((0..components as u8).flat_map(|id| [id + 1, 0x11, 0]));
    let mut stream = [vec![0xff, 0xd8], segment(0xc3, &frame)].concat();
    // One code of 3 bits and sixteen of 5: the categories 0 to 16.
    let counts: Vec<u8> = (1..=16).map(|length| [0, 0, 1, 0, 16].get(length - 1).copied().unwrap_or(0)).collect();
    stream.extend(segment(0xc4, &[&[0][..], &counts, &(0..=16).collect::<Vec<u8>>()].concat()));
    stream.extend(segment(0xdd, &((form.lines_between_restarts * WIDTH) as u16).to_be_bytes()));
    let scans: Vec<Vec<usize>> = match form.interleaved {
        true => vec![(0..components).collect()],
        false => (0..components).map(|component| vec![component]).collect(),
    };
    for (number, scan) in scans.iter().enumerate() {
        let selectors: Vec<u8> = scan.iter().flat_map(|&component| [component as u8 + 1, 0]).collect();
        let header = [&[scan.len() as u8][..], &selectors, &[predictor, 0, point_transform as u8]].concat();
        stream.extend(segment(0xda, &header));
        stream.extend(code(samples, form, scan));
        if number == 0 && form.lines_behind {
            stream.extend(segment(0xdc, &(HEIGHT as u16).to_be_bytes()));
        }
    }
    stream.extend(if form.ended { &[0xff, 0xd9][..] } else { &[] });
    stream
}

/// The coded data of a scan, restart markers included.
fn code(samples: &[u16], form: &Form, scan: &[usize]) -> Vec<u8> {
    let value = |x: usize, y: usize, component: usize| {
        i32::from(samples[(y * WIDTH + x) * form.components + component]) >> form.point_transform
    };
    let mut data = Vec::new();
    let mut bits = Bits::default();
    for y in 0..HEIGHT {
        let restarts = form.lines_between_restarts != 0 && y != 0 && y % form.lines_between_restarts == 0;
        if restarts {
            data.extend(std::mem::take(&mut bits).finish());
            data.extend([0xff, 0xd0 + ((y / form.lines_between_restarts - 1) % 8) as u8]);
        }
        for x in 0..WIDTH {
            for &component in scan {
                let predicted = match (x, y == 0 || restarts) {
                    (0, true) => 1 << (form.precision - form.point_transform - 1),
                    (_, true) => value(x - 1, y, component),
                    (0, false) => value(0, y - 1, component),
                    _ => {
                        let (a, b, c) =
                            (value(x - 1, y, component), value(x, y - 1, component), value(x - 1, y - 1, component));
                        [a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1]
                            [usize::from(form.predictor) - 1]
                    }
                };
                // Modulo 2^16, from −32767 to 32768.
                let wrapped = (value(x, y, component) - predicted) as u16;
                let difference = if wrapped > 32768 { i32::from(wrapped) - 65536 } else { i32::from(wrapped) };
                let category = 32 - difference.unsigned_abs().leading_zeros();
                if category == 0 {
                    bits.put(0, 3);
                } else {
                    bits.put(3 + category, 5);
                }
                if category < 16 {
                    bits.put(if difference < 0 { difference - 1 } else { difference } as u32, category);
                }
            }
        }
    }
    data.extend(bits.finish());
    data
}

/// Decodes, and compares with what is left of the samples after the point transform.
fn check(form: &Form) {
    let samples = picture(form);
    let radiograph = decode(&encode(&samples, form), None, &Limits::default());
    let radiograph = radiograph.unwrap_or_else(|error| panic!("{form:?}: {error}"));
    let max = (1_u64 << form.precision) - 1;
    let shown = |sample: u16| {
        let kept = u64::from(sample >> form.point_transform << form.point_transform);
        (kept * 65535 + max / 2) / max
    };
    let expected: Vec<u16> = samples
        .chunks(form.components)
        .map(|pixel| match pixel.iter().map(|&sample| shown(sample)).collect::<Vec<_>>()[..] {
            [r, g, b] => ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16) as u16,
            [grey, ..] => grey as u16,
            [] => 0,
        })
        .collect();
    assert!(radiograph.luminance == expected, "{form:?}");
    assert_eq!(radiograph.notes.is_empty(), form.ended, "{form:?}");
}

#[test]
fn every_predictor_precision_point_transform_and_restart_interval_gives_the_samples() {
    for precision in 2..=16 {
        for predictor in 1..=7 {
            for point_transform in (0..4).chain([precision - 1]).filter(|&transform| transform < precision) {
                for lines_between_restarts in [0, 1, 2, 5, 40] {
                    for components in [1, 3] {
                        for interleaved in [true, false] {
                            check(&Form {
                                precision,
                                predictor,
                                point_transform,
                                lines_between_restarts,
                                components,
                                interleaved,
                                ..PLAIN
                            });
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn lines_behind_the_scan_and_a_missing_end_are_answered() {
    for ended in [true, false] {
        for lines_behind in [true, false] {
            for components in [1, 3] {
                check(&Form { predictor: 4, ended, lines_behind, components, interleaved: false, ..PLAIN });
            }
        }
    }
}

#[test]
fn what_a_stream_lacks_is_never_made_up() {
    let form = Form { predictor: 5, lines_between_restarts: 3, ended: false, ..PLAIN };
    let stream = encode(&picture(&form), &form);
    for length in 0..stream.len() {
        assert!(decode(&stream[..length], None, &Limits::default()).is_err(), "{length} of {}", stream.len());
    }
    // A restart marker that is missing, out of order or within a line.
    let at = stream.windows(2).position(|pair| pair == [0xff, 0xd1]).unwrap();
    for marker in [0xd0, 0xd2, 0xd9] {
        let mut stream = stream.clone();
        stream[at + 1] = marker;
        assert!(decode(&stream, None, &Limits::default()).is_err(), "{marker:x}");
    }
    let interval = stream.windows(2).position(|pair| pair == [0xff, 0xdd]).unwrap();
    let mut within = stream;
    within[interval + 5] -= 1;
    assert!(decode(&within, None, &Limits::default()).is_err());
}
