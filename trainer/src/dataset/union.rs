//! Which items belong together, from pairs that do: a disjoint-set forest with path halving (Tarjan and van Leeuwen 1984).

/// Disjoint sets of the items `0..n`. A set's root is its smallest item, so that no result depends on the pairs' order.
pub(super) struct UnionFind {
    parent: Vec<usize>,
}

impl UnionFind {
    /// Every item on its own.
    pub fn new(items: usize) -> Self {
        Self { parent: (0..items).collect() }
    }

    /// The smallest item of an item's set.
    pub fn root(&mut self, mut item: usize) -> usize {
        while self.parent[item] != item {
            self.parent[item] = self.parent[self.parent[item]];
            item = self.parent[item];
        }
        item
    }

    /// Makes one set of two items' sets.
    pub fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.parent[one.max(other)] = one.min(other);
    }

    /// The sets of two items or more, each ascending, by their smallest items.
    pub fn groups(mut self) -> Vec<Vec<usize>> {
        let mut groups = vec![vec![]; self.parent.len()];
        for item in 0..self.parent.len() {
            groups[self.root(item)].push(item);
        }
        groups.retain(|group| group.len() > 1);
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::UnionFind;

    #[test]
    fn sets_are_the_same_in_whatever_order_their_pairs_come() {
        let pairs = [(5, 3), (1, 0), (3, 9), (4, 4), (9, 7)];
        let groups = |pairs: &mut dyn Iterator<Item = &(usize, usize)>| {
            let mut union = UnionFind::new(10);
            pairs.for_each(|(one, other)| union.unite(*one, *other));
            union.groups()
        };
        assert_eq!(groups(&mut pairs.iter()), [vec![0, 1], vec![3, 5, 7, 9]]);
        assert_eq!(groups(&mut pairs.iter().rev()), groups(&mut pairs.iter()));
        assert!(UnionFind::new(3).groups().is_empty());
    }
}
