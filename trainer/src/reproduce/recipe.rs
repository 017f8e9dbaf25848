//! The recipe as it was asked for, beside what the paper says of its own.

use std::collections::BTreeMap;

use cspine_nets::Architecture;
use serde::Serialize;

use crate::augment::Augmentation;
use crate::fit::RecipeArgs;

/// How every network of a report was to learn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Passes over the training set that are planned.
    pub epochs: usize,
    /// Images a step.
    pub batch: u16,
    /// Learning rate of the first epochs.
    pub rate: f64,
    /// What it is multiplied by every `rate_epochs` epochs.
    pub rate_factor: f64,
    /// Epochs between two lowerings of the rate.
    pub rate_epochs: u16,
    /// Of the gradient descent.
    pub momentum: f64,
    /// On convolutions and the head.
    pub weight_decay: f64,
    /// Share of features dropped at each step, by network.
    pub dropout: BTreeMap<&'static str, f64>,
    /// How training images are changed; none shows them as they are.
    pub augmentation: Option<String>,
    /// Shares of training, validation and test set, percent.
    pub split: [u32; 3],
    /// Of split, order, augmentation and fresh weights.
    pub seed: u64,
}

impl Recipe {
    pub(super) fn of(args: &RecipeArgs) -> Self {
        let networks = [Architecture::GoogLeNet, Architecture::AlexNet];
        let dropout = |network: Architecture| args.dropout.unwrap_or(network.dropout());
        Self {
            epochs: args.epochs,
            batch: args.batch,
            rate: as_written(args.rate),
            rate_factor: as_written(args.rate_factor),
            rate_epochs: args.rate_epochs,
            momentum: as_written(args.momentum),
            weight_decay: as_written(args.weight_decay),
            dropout: networks.map(|network| (network.as_str(), dropout(network))).into(),
            augmentation: (!args.no_augmentation).then(|| words(&Augmentation::DEFAULT)),
            split: [args.split.training, args.split.validation, args.split.test],
            seed: args.seed,
        }
    }

    /// What, here, and in the paper's words: "–" where they are not known here.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let [training, validation, test] = self.split;
        let dropout: Vec<String> =
            self.dropout.iter().map(|(network, share)| format!("{share} of {network}")).collect();
        [
            ("epochs", self.epochs.to_string(), "30"),
            ("images a step", self.batch.to_string(), "10"),
            ("rate of the first epochs", self.rate.to_string(), "0.001"),
            ("the rate is lowered every", format!("{} epochs", self.rate_epochs), "4 epochs"),
            ("and multiplied by", self.rate_factor.to_string(), "not said"),
            ("momentum", self.momentum.to_string(), "0.95"),
            ("weight decay", self.weight_decay.to_string(), "–"),
            ("features dropped", dropout.join(", "), "–"),
            ("training images", self.augmentation.clone().unwrap_or_else(|| "shown as they are".to_owned()), "–"),
            ("training / validation / test", format!("{training}/{validation}/{test} %"), "70/15/15 %"),
        ]
        .map(|(what, here, paper)| vec![what.to_owned(), here, paper.to_owned()])
        .to_vec()
    }
}

/// 0.001, and not the 0.0010000000474974513 that is nearest to it in single precision.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn words(augmentation: &Augmentation) -> String {
    let Augmentation { rotation_deg, shift, zoom, gamma, contrast, noise, blur } = augmentation;
    let percent = |share: &f32| format!("{:.0} %", 100.0 * share);
    format!(
        "turned by up to {rotation_deg}°, shifted by {}, scaled by {}, gamma e^±{gamma}, contrast ± {}, noise of up to \
         {}, {} of them blurred",
        percent(shift),
        percent(zoom),
        percent(contrast),
        percent(noise),
        percent(blur)
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        recipe: RecipeArgs,
    }

    #[test]
    fn the_table_says_what_was_asked_for() {
        let rows = |words: &[&str]| Recipe::of(&Command::parse_from([&["fit"], words].concat()).recipe).rows();
        let [planned, other] =
            [rows(&[]), rows(&["--rate-factor", "0.1", "--epochs", "2", "--dropout", "0.3", "--no-augmentation"])];
        let here = |rows: &[Vec<String>]| rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>();
        let (planned, other) = (here(&planned), here(&other));
        assert_eq!(planned[..6], ["30", "10", "0.001", "4 epochs", "0.5", "0.95"]);
        assert_eq!(planned[7], "0.5 of alexnet, 0.2 of googlenet");
        assert_eq!((other[0].as_str(), other[4].as_str()), ("2", "0.1"));
        assert_eq!(other[7..9], ["0.3 of alexnet, 0.3 of googlenet", "shown as they are"]);
        assert_eq!(planned[9], "70/15/15 %");
    }
}
