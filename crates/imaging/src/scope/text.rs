//! What a text names: a part of the body, views.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use super::site::Answer;
use super::terms;

/// The longest phrase of the vocabulary, in words.
const PHRASE_WORDS_MAX: usize = 4;
/// What stands between the views of a list.
const LISTS: [char; 6] = ['/', ',', '+', '&', ';', '|'];

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
}

/// Reads a text by a site's own words and by the built-in vocabulary.
pub(crate) fn read(text: &str, own: Option<Own<'_>>) -> Reading {
    let words = words(text);
    let mut reading = Reading { listed: text.contains(LISTS), ..Reading::default() };
    let (mut segment, mut spine) = (false, false);
    let mut rest = &words[..];
    while !rest.is_empty() {
        let Some((said, length)) = longest(rest, own) else {
            reading.unlisted = true;
            rest = &rest[1..];
            continue;
        };
        rest = &rest[length..];
        for (meaning, understood) in said {
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
    reading.unlisted |= spine && !segment;
    reading
}

/// The longest phrase that these words begin with and that is understood: what it says, by which words, and its number of
/// words. A phrase says one thing, unless it is a word of several parts.
fn longest(words: &[String], own: Option<Own<'_>>) -> Option<(Vec<(Meaning, String)>, usize)> {
    for length in (1..=words.len().min(PHRASE_WORDS_MAX)).rev() {
        let phrase = words[..length].concat();
        let meaning = match own.and_then(|own| Some((own, own.words.get(&phrase)?))) {
            Some((_, Answer::Unknown)) => return None,
            Some((own, Answer::Accept)) => Some(own.accepted),
            Some((own, Answer::Reject)) => Some(own.rejected),
            None => VOCABULARY.get(phrase.as_str()).copied(),
        };
        if let Some(meaning) = meaning {
            return Some((vec![(meaning, words[..length].join(" "))], length));
        }
    }
    if words[0] == "C" && words.get(1).is_some_and(|word| word.starts_with("SPINE")) {
        return Some((vec![(Meaning::Cervical, "C SPINE".into())], 2));
    }
    let said = by_its_parts(&words[0]);
    (!said.is_empty()).then_some((said, 1))
}

/// What a word says by its beginning, and by its parts where words have no blanks between them: `颈椎侧位` names the
/// cervical spine and the lateral view.
fn by_its_parts(word: &str) -> Vec<(Meaning, String)> {
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
    let named = parts.into_iter().filter_map(|(meaning, parts)| Some((meaning, holds(parts)?)));
    let count = is_count(word).then_some((Meaning::Neutral, word));
    stem.into_iter().chain(named).chain(count).map(|(meaning, said)| (meaning, said.to_owned())).collect()
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
        (Meaning::View(View::Axial), terms::AXIAL),
        (Meaning::Cervical, terms::CERVICAL),
    ];
    lists.into_iter().flat_map(|(meaning, list)| list.split_whitespace().map(move |word| (word, meaning))).collect()
});

/// Runs of letters and digits, in capitals and without accents or apostrophes.
pub(crate) fn words(text: &str) -> Vec<String> {
    let is_mark = |c: &char| matches!(c, '\u{300}'..='\u{36f}' | '\'' | '’');
    let folded: String = text.chars().flat_map(char::to_uppercase).filter(|c| !is_mark(c)).map(plain).collect();
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
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
