//! What is shown of the images that a network knows, so that it does not forget them.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

/// `count` of the pool, or all of it: as many of each stratum as of any other, as far as it has them. Strata are a class
/// and, within it, a site: rare ones are shown as often as common ones. Ascending.
pub fn stratified<C: Ord, S: Ord>(
    pool: &[usize],
    stratum: impl Fn(usize) -> (C, S),
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let mut strata: BTreeMap<C, BTreeMap<S, Vec<usize>>> = BTreeMap::new();
    for &i in pool {
        let (class, site) = stratum(i);
        strata.entry(class).or_default().entry(site).or_default().push(i);
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut classes: Vec<Vec<usize>> = strata
        .into_values()
        .map(|sites| {
            let mut sites: Vec<Vec<usize>> = sites.into_values().collect();
            sites.iter_mut().for_each(|site| site.shuffle(&mut rng));
            in_turn(sites)
        })
        .collect();
    // Whose turn is first must not always fall to the same class.
    classes.shuffle(&mut rng);
    let mut chosen = in_turn(classes);
    chosen.truncate(count);
    chosen.sort_unstable();
    chosen
}

/// One of each, again and again, until all are used up.
fn in_turn(lists: Vec<Vec<usize>>) -> Vec<usize> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|turn| lists.iter().filter_map(move |list| list.get(turn).copied())).collect()
}

#[cfg(test)]
mod tests {
    use super::stratified;

    /// Two classes of 900 and 100 images; of the first, site 1 has 90.
    fn stratum(i: usize) -> (usize, usize) {
        (usize::from(i >= 900), usize::from(i.is_multiple_of(10) && i < 900))
    }

    #[test]
    fn classes_and_within_them_sites_are_shown_alike_and_a_short_one_is_made_up_for() {
        let pool: Vec<usize> = (0..1000).collect();
        let chosen = stratified(&pool, stratum, 80, 3);
        let of = |wanted: (usize, usize)| chosen.iter().filter(|i| stratum(**i) == wanted).count();
        assert_eq!([of((0, 0)), of((0, 1)), of((1, 0))], [20, 20, 40]);
        let chosen = stratified(&pool, stratum, 400, 3);
        let of = |wanted: (usize, usize)| chosen.iter().filter(|i| stratum(**i) == wanted).count();
        assert_eq!([of((0, 0)), of((0, 1)), of((1, 0))], [210, 90, 100], "all of what is rare");
        assert_eq!(stratified(&pool, stratum, 5000, 3), pool);
    }

    #[test]
    fn another_seed_shows_others_and_the_same_seed_the_same() {
        let pool: Vec<usize> = (0..1000).collect();
        let with = |seed| stratified(&pool, stratum, 50, seed);
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
    }
}
