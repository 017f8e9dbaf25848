//! Writes contact sheets of phantoms: `sheet OUT.png WHAT SIZE COLUMNS ROWS SEED [PRESET]`, from the seed upwards.
//! WHAT is a class, a kind of injury, or `kinds` for a row a kind (both: clear cases only); `+mask` outlines the mask.

use cspine_domain::Class;
use cspine_phantom::{Case, Film, Kind, Preset};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [out, what, size, columns, rows, seed, rest @ ..] = &args[..] else {
        return Err("sheet OUT.png WHAT[+mask] SIZE COLUMNS ROWS SEED [PRESET]".into());
    };
    let (what, outline) = match what.strip_suffix("+mask") {
        Some(what) => (what, true),
        None => (what.as_str(), false),
    };
    let (size, columns, rows): (u32, u32, u32) = (size.parse()?, columns.parse()?, rows.parse()?);
    let preset = rest.first().map_or(Ok(Preset::Reference), |p| p.parse())?;
    let mut sheet = image::RgbImage::new(size * columns, size * rows);
    let mut seed: u64 = seed.parse()?;
    for i in 0..columns * rows {
        let case = next(what, &mut seed, (i / columns) as usize)?;
        let start = std::time::Instant::now();
        let film = case.render(size, preset);
        println!(
            "{i}: seed {} {} {} {:.1} mm{} {:?} {} ms",
            case.seed,
            case.kind.as_str(),
            case.level,
            case.severity_mm,
            if case.ambiguous { " ambiguous" } else { "" },
            case.anatomy.mimic,
            start.elapsed().as_millis(),
        );
        paste(&mut sheet, &film, (i % columns * size, i / columns * size), outline);
    }
    sheet.save(out)?;
    Ok(())
}

/// The next case of what was asked for, from `seed` on.
fn next(what: &str, seed: &mut u64, row: usize) -> Result<Case, Box<dyn std::error::Error>> {
    let kind = match what {
        "kinds" => Some(Kind::ALL[1 + row % 8]),
        _ => Kind::ALL.into_iter().skip(1).find(|k| k.as_str() == what),
    };
    let class: Class = match kind {
        None => what.parse()?,
        Some(Kind::UnilateralFacet | Kind::BilateralFacet) => Class::Dislocation,
        Some(_) => Class::Fracture,
    };
    loop {
        let case = Case::sample(*seed, class);
        *seed += 1;
        if kind.is_none_or(|k| case.kind == k && !case.ambiguous) {
            return Ok(case);
        }
    }
}

fn paste(sheet: &mut image::RgbImage, film: &Film, (left, top): (u32, u32), outline: bool) {
    let size = film.width;
    let at = |x: u32, y: u32| film.mask[(y.min(size - 1) * size + x.min(size - 1)) as usize];
    for (x, y) in (0..size).flat_map(|y| (0..size).map(move |x| (x, y))) {
        let edge = outline && (at(x, y) != at(x + 1, y) || at(x, y) != at(x, y + 1));
        let grey = (film.pixels[(y * size + x) as usize] >> 8) as u8;
        let pixel = if edge { image::Rgb([255, 220, 0]) } else { image::Rgb([grey; 3]) };
        sheet.put_pixel(left + x, top + y, pixel);
    }
}
