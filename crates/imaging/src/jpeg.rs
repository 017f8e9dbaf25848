//! A walk over the markers of a JPEG stream (ITU-T T.81 annex B): its size before anything is allocated, and its end.

/// What the frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub width: u16,
    pub height: u16,
    pub components: u8,
    /// Bits of a sample.
    pub precision: u8,
    /// Whether it is the lossless process, SOF3.
    pub lossless: bool,
    /// Whether it is a process for which we have a decoder: baseline, extended or progressive Huffman, lossless.
    pub supported: bool,
}

/// Reads the markers up to the first scan. The fault is a fixed text.
///
/// A stream without its end marker is refused: decoders fill what is missing with grey, and half a neck looks normal.
pub(crate) fn scan(stream: &[u8]) -> Result<Frame, &'static str> {
    const CUT: &str = "the stream ends within its headers";
    if !stream.starts_with(&[0xff, 0xd8]) {
        return Err("no start of image");
    }
    let mut at = 2;
    let mut frame = None;
    loop {
        let marker = loop {
            match stream.get(at..at + 2).ok_or(CUT)? {
                [0xff, 0xff] => at += 1, // fill byte
                [0xff, marker] => break *marker,
                _ => return Err("no marker where one must stand"),
            }
        };
        let length = stream.get(at + 2..at + 4).ok_or(CUT)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let segment = stream.get(at + 4..at + 2 + length.max(2)).ok_or(CUT)?;
        at += 2 + length.max(2);
        match marker {
            // Several frames (hierarchical) have a decoder read another size than the one checked.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => match frame {
                None => frame = Some(frame_header(marker, segment).ok_or("a frame header that is too short")?),
                Some(_) => return Err("a second frame header"),
            },
            0xda => break,
            _ => {}
        }
    }
    let rest = stream.get(at..).ok_or(CUT)?;
    // Within coded data 0xff is followed by 0 or a restart marker, so this pair can only be the end.
    if !rest.windows(2).any(|pair| pair == [0xff, 0xd9]) {
        return Err("the stream ends before its end marker");
    }
    if second_frame(rest) {
        return Err("a second frame header");
    }
    frame.ok_or("a scan before its frame header")
}

fn frame_header(marker: u8, segment: &[u8]) -> Option<Frame> {
    let &[precision, h1, h0, w1, w0, components, ..] = segment else { return None };
    Some(Frame {
        width: u16::from_be_bytes([w1, w0]),
        height: u16::from_be_bytes([h1, h0]),
        components,
        precision,
        lossless: marker == 0xc3,
        supported: matches!(marker, 0xc0..=0xc3),
    })
}

/// Whether a frame header follows the first scan, before the end of the image.
fn second_frame(rest: &[u8]) -> bool {
    rest.windows(2)
        .take_while(|pair| *pair != [0xff, 0xd9])
        .any(|pair| pair[0] == 0xff && matches!(pair[1], 0xc0..=0xcf) && !matches!(pair[1], 0xc4 | 0xc8 | 0xcc))
}
