//! Which networks are to be fitted, and what makes each what it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cspine_domain::Sha256;
use cspine_nets::{Architecture, Checkpoint};

use super::{ReproduceArgs, outcome};

/// The networks in the order they are fitted.
pub(super) struct Plan {
    pub networks: Vec<Planned>,
}

/// One network to be fitted.
pub(super) struct Planned {
    /// Its name in the report: `GoogLeNet, pre-trained`.
    pub name: String,
    /// Its files' name: `googlenet-pretrained`.
    pub slug: String,
    pub architecture: Architecture,
    pub init: Option<PathBuf>,
    /// SHA-256 of all that its figures depend on.
    pub identity: Sha256,
}

impl Plan {
    /// Pre-trained before fresh: the better figures come first.
    pub fn of(args: &ReproduceArgs, data: Sha256) -> Result<Self> {
        let mut networks = Vec::new();
        for (architecture, init) in
            [(Architecture::GoogLeNet, &args.init_googlenet), (Architecture::AlexNet, &args.init_alexnet)]
        {
            let parent = match init {
                Some(file) => Some(digest(file, architecture)?),
                // What was fitted from given weights and is done needs them no more.
                None => outcome::parent(&args.out, &slug(architecture, true))?,
            };
            if parent.is_some() {
                networks.push(planned(architecture, init.clone(), parent, args, data));
            }
            networks.push(planned(architecture, None, None, args, data));
        }
        let known: Vec<&str> = networks.iter().map(|network: &Planned| network.slug.as_str()).collect();
        if let Some(unknown) = args.only.iter().find(|slug| !known.contains(&slug.as_str())) {
            bail!("--only {unknown} is none of {}", known.join(", "));
        }
        Ok(Self { networks })
    }
}

fn planned(
    architecture: Architecture,
    init: Option<PathBuf>,
    parent: Option<Sha256>,
    args: &ReproduceArgs,
    data: Sha256,
) -> Planned {
    let words = if parent.is_some() { "pre-trained" } else { "fresh weights" };
    let ReproduceArgs { recipe, operating, fresh, .. } = args;
    let all = format!("{architecture:?} {parent:?} {data} {recipe:?} {operating:?} {fresh:?}");
    Planned {
        name: format!("{}, {words}", title(architecture)),
        slug: slug(architecture, parent.is_some()),
        architecture,
        init,
        identity: Sha256::of(all.as_bytes()),
    }
}

fn slug(architecture: Architecture, pretrained: bool) -> String {
    format!("{}-{}", architecture.as_str(), if pretrained { "pretrained" } else { "fresh" })
}

/// Its name as papers write it.
fn title(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::GoogLeNet => "GoogLeNet",
        Architecture::AlexNet => "AlexNet",
    }
}

/// The digest of a model file of that architecture.
fn digest(file: &Path, architecture: Architecture) -> Result<Sha256> {
    let read = || -> Result<Sha256> {
        let bytes = std::fs::read(file)?;
        let found = Checkpoint::read(&bytes)?.card.architecture;
        ensure!(found == architecture, "it is of {}, not of {}", found.as_str(), architecture.as_str());
        Ok(Sha256::of(&bytes))
    };
    read().with_context(|| format!("reading {}", file.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: ReproduceArgs,
    }

    /// Command and images as docs/results/README.md has them. A fit of days must not be lost to a flag's new name.
    #[test]
    fn what_is_on_record_is_still_read_and_recognised() {
        let record = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/results/reproduction");
        let words = ["reproduce", "--data", "data-102", "--out", record, "--fresh-sets", "10"];
        let args = Command::parse_from(words).args;
        let images = "85d686ad174af5494c5dbe52dea9ad59335bde28c108f1d31b07eda0a91ced90".parse().unwrap();
        let plan = Plan::of(&args, images).unwrap();
        assert_eq!(plan.networks[0].slug, "googlenet-pretrained");
        let kept = outcome::kept(&plan.networks[0], &args).unwrap().unwrap();
        assert_eq!((kept.split, kept.test.len(), kept.fresh.len()), ([1406, 302, 301], 301, 40));
    }
}
