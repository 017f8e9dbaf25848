//! What a text names: a part of the body, views.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use super::site::Answer;
use super::{is_in, terms};

/// The longest phrase of the vocabulary, in words.
const PHRASE_WORDS_MAX: usize = 4;
/// What is read of a text, in bytes: an attribute of a file may be as long as the file.
pub(crate) const BYTES_MAX: usize = 1024;
/// What stands between the views of a list.
const LISTS: [char; 14] = ['/', ',', '+', '&', ';', '|', '\\', '(', '[', '\n', '\r', '、', '，', '／'];
/// What stands between the views of a list, or within a word.
const DASHES: [char; 4] = ['-', '‐', '–', '—'];
/// Begins the switches of character set in an ISO 2022 text: letters behind it may be halves of characters.
const ESCAPE: char = '\u{1b}';

/// A view of the spine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum View {
    Lateral,
    Frontal,
    Oblique,
    /// One view, unless it stands in a list.
    LateralOblique,
    Odontoid,
    Swimmer,
    Flexion,
    Extension,
    Axial,
    /// By a site's own word.
    Other,
}

/// What a word or phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Cervical,
    /// Another segment of the spine.
    Segment,
    /// The spine, or a bone of it.
    Spine,
    Elsewhere,
    View(View),
    /// Of no matter to part and view.
    Neutral,
}

/// A site's own words, and what they mean in this attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own<'a> {
    pub words: &'a BTreeMap<String, Answer>,
    pub accepted: Meaning,
    pub rejected: Meaning,
}

/// What a whole text says.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// It names the cervical spine.
    pub cervical: bool,
    /// It names another part.
    pub elsewhere: bool,
    /// The views that it names.
    pub views: BTreeSet<View>,
    /// It names the lateral view by a word that means nothing else.
    pub surely_lateral: bool,
    /// It has a word that could mean anything.
    pub unlisted: bool,
    /// It lists several things.
    pub listed: bool,
    /// The words that were understood, and nothing else of the text, which may be patient data.
    pub understood: Vec<String>,
}

impl Reading {
    /// The one view that it names. `lat flexion` is one view; a list of several is none.
    pub fn view(&self) -> Option<View> {
        let functional = |view| matches!(view, View::Flexion | View::Extension);
        let mut views = self.views.iter().copied();
        match (views.next(), views.next(), views.next()) {
            (Some(View::LateralOblique), None, None) if self.listed => None,
            (view, None, None) => view,
            (Some(View::Lateral), Some(view), None) if functional(view) && !self.listed => Some(view),
            _ => None,
        }
    }

    /// The same, but no other view than the lateral one where a word could mean anything.
    pub fn sure_view(&self) -> Option<View> {
        self.view().filter(|view| *view == View::Lateral || !self.unlisted)
    }
}

/// Reads a text by a site's own words and by the built-in vocabulary.
pub(crate) fn read(text: &str, own: Option<Own<'_>>) -> Reading {
    let plain = text.split(ESCAPE).next().unwrap_or_default();
    let words = words(plain);
    // What is not read, or not readable, could mean anything.
    let unread = plain.len() < text.len() || text.len() > BYTES_MAX || text.contains(char::REPLACEMENT_CHARACTER);
    let mut reading = Reading { listed: is_list(plain, &words), unlisted: unread, ..Reading::default() };
    let (mut segment, mut spine) = (false, false);
    let mut rest = &words[..];
    while !rest.is_empty() {
        let Said { meanings, words, whole } = longest(rest, own);
        reading.unlisted |= !whole;
        rest = &rest[words..];
        for (meaning, understood) in meanings {
            reading.surely_lateral |=
                meaning == Meaning::View(View::Lateral) && !is_in(terms::LATERAL_DOUBTFUL, &understood);
            reading.understood.push(understood);
            match meaning {
                Meaning::Cervical => reading.cervical = true,
                Meaning::Segment => segment = true,
                Meaning::Spine => spine = true,
                Meaning::Elsewhere => reading.elsewhere = true,
                Meaning::View(view) => drop(reading.views.insert(view)),
                Meaning::Neutral => {}
            }
        }
    }
    reading.elsewhere |= segment;
    // "Lumbar spine" is no more than "lumbar"; "spine" alone may be the neck.
    reading.unlisted |= spine && !segment && !reading.cervical;
    reading
}

/// Whether a text lists several things: by a sign or a word between them, or by a dash between views (`LAT-FLEX`).
fn is_list(text: &str, words: &[String]) -> bool {
    let is_conjunction = |word: &String| is_in(terms::CONJUNCTIONS, word);
    let names_view = |piece: &&str| self::words(piece).iter().any(|word| is_view(word));
    text.contains(LISTS)
        || words.iter().any(is_conjunction)
        || head(text).split(DASHES).filter(names_view).nth(1).is_some()
}

fn is_view(word: &str) -> bool {
    let known = VOCABULARY.get(word).copied();
    let parts = by_its_parts(word).meanings;
    known.into_iter().chain(parts.into_iter().map(|part| part.0)).any(|meaning| matches!(meaning, Meaning::View(_)))
}

/// What the first words of a text say.
struct Said {
    /// Each with the words that say it; none where they are not understood.
    meanings: Vec<(Meaning, String)>,
    /// How many words they are.
    words: usize,
    /// Whether they say nothing else.
    whole: bool,
}

/// The longest phrase that these words begin with and that is understood. A phrase says one thing, unless it is a word of
/// several parts.
fn longest(words: &[String], own: Option<Own<'_>>) -> Said {
    let one = |meaning, phrase, words| Said { meanings: vec![(meaning, phrase)], words, whole: true };
    for length in (1..=words.len().min(PHRASE_WORDS_MAX)).rev() {
        let phrase = words[..length].concat();
        let meaning = match own.and_then(|own| Some((own, own.words.get(&phrase)?))) {
            Some((_, Answer::Unknown)) => return Said { meanings: Vec::new(), words: 1, whole: false },
            Some((own, Answer::Accept)) => Some(own.accepted),
            Some((own, Answer::Reject)) => Some(own.rejected),
            None => VOCABULARY.get(phrase.as_str()).copied(),
        };
        if let Some(meaning) = meaning {
            return one(meaning, words[..length].join(" "), length);
        }
    }
    if words[0] == "C" && words.get(1).is_some_and(|word| word.starts_with("SPINE")) {
        return one(Meaning::Cervical, "C SPINE".into(), 2);
    }
    if is_count(&words[0]) {
        return one(Meaning::Neutral, words[0].clone(), 1);
    }
    by_its_parts(&words[0])
}

/// What a word says by its beginning, and by its parts where words have no blanks between them: `颈椎侧位` names the
/// cervical spine and the lateral view. It says more than that if something is left of it, as in `矫正位`, or if only its
/// beginning is a word of another view.
fn by_its_parts(word: &str) -> Said {
    let stems = [
        (Meaning::Cervical, terms::CERVICAL_STEMS),
        (Meaning::View(View::Lateral), terms::LATERAL_STEMS),
        (Meaning::View(View::Oblique), terms::OBLIQUE_STEMS),
        (Meaning::View(View::Odontoid), terms::ODONTOID_STEMS),
        (Meaning::View(View::Swimmer), terms::SWIMMER_STEMS),
        (Meaning::View(View::Flexion), terms::FLEXION_STEMS),
        (Meaning::View(View::Extension), terms::EXTENSION_STEMS),
    ];
    let parts = [
        (Meaning::Cervical, terms::CERVICAL_PARTS),
        (Meaning::View(View::Lateral), terms::LATERAL_PARTS),
        (Meaning::View(View::Frontal), terms::FRONTAL_PARTS),
        (Meaning::View(View::Oblique), terms::OBLIQUE_PARTS),
    ];
    let begins = |stems: &[&'static str]| stems.iter().copied().find(|stem| word.starts_with(stem));
    let holds = |parts: &[&'static str]| parts.iter().copied().find(|part| word.contains(part));
    let stem = stems.into_iter().find_map(|(meaning, stems)| Some((meaning, begins(stems)?)));
    let named: Vec<_> = parts.into_iter().filter_map(|(meaning, parts)| Some((meaning, holds(parts)?))).collect();
    let whole = match stem {
        Some((meaning, _)) => matches!(meaning, Meaning::Cervical | Meaning::View(View::Lateral)),
        None => named.iter().fold(word.to_owned(), |rest, (_, part)| rest.replace(part, "")).is_empty(),
    };
    let meanings = stem.into_iter().chain(named).map(|(meaning, said)| (meaning, said.to_owned())).collect();
    Said { meanings, words: 1, whole }
}

/// `2`, `2V`, `3VIEWS`, `2E`: at most two digits, so that no number of a person passes for a word.
fn is_count(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    matches!(digits, 1 | 2) && matches!(&word[digits..], "" | "V" | "VIEW" | "VIEWS" | "E" | "X")
}

static VOCABULARY: LazyLock<HashMap<&'static str, Meaning>> = LazyLock::new(|| {
    let lists = [
        (Meaning::Neutral, terms::NEUTRAL),
        (Meaning::Spine, terms::SPINE),
        (Meaning::Elsewhere, terms::ELSEWHERE),
        (Meaning::Segment, terms::OTHER_SEGMENTS),
        (Meaning::View(View::Lateral), terms::LATERAL),
        (Meaning::View(View::Frontal), terms::FRONTAL),
        (Meaning::View(View::Oblique), terms::OBLIQUE),
        (Meaning::View(View::LateralOblique), terms::LATERAL_OBLIQUE),
        (Meaning::View(View::Odontoid), terms::ODONTOID),
        (Meaning::View(View::Swimmer), terms::SWIMMER),
        (Meaning::View(View::Flexion), terms::FLEXION),
        (Meaning::View(View::Extension), terms::EXTENSION),
        (Meaning::View(View::Axial), terms::AXIAL),
        (Meaning::Cervical, terms::CERVICAL),
    ];
    lists.into_iter().flat_map(|(meaning, list)| list.split_whitespace().map(move |word| (word, meaning))).collect()
});

/// Runs of letters and digits, in capitals and without accents or apostrophes, of the first [`BYTES_MAX`] bytes.
pub(crate) fn words(text: &str) -> Vec<String> {
    let is_mark = |c: &char| matches!(c, '\u{300}'..='\u{36f}' | '\'' | '’');
    let folded: String = head(text).chars().flat_map(char::to_uppercase).filter(|c| !is_mark(c)).map(plain).collect();
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The first [`BYTES_MAX`] bytes, to the end of a character.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(BYTES_MAX)]
}

/// A Latin capital without its accent.
fn plain(c: char) -> char {
    match c {
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => 'A',
        'Ç' | 'Ć' | 'Č' => 'C',
        'Ď' | 'Đ' => 'D',
        'È'..='Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => 'E',
        'Ğ' => 'G',
        'Ì'..='Ï' | 'İ' => 'I',
        'Ł' | 'Ľ' => 'L',
        'Ñ' | 'Ń' | 'Ň' => 'N',
        'Ò'..='Ö' | 'Ø' | 'Ő' => 'O',
        'Ř' => 'R',
        'Ś' | 'Š' | 'Ş' | 'Ș' => 'S',
        'Ť' | 'Ţ' | 'Ț' => 'T',
        'Ù'..='Ü' | 'Ů' | 'Ű' => 'U',
        'Ý' => 'Y',
        'Ź' | 'Ż' | 'Ž' => 'Z',
        other => other,
    }
}
