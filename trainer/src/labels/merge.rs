//! `cspine-trainer labels merge`.

use anyhow::{Result, ensure};
use cspine_service::record::caller;

use super::MergeArgs;
use crate::database::connect;

pub(super) async fn run(args: &MergeArgs) -> Result<()> {
    let store = connect(&args.database).await?;
    for name in [&args.from, &args.into] {
        let patient = store.patient(name).await?;
        let side = patient.set.map_or("no side yet", |set| set.as_str());
        println!("{name}: {} images, {side}", patient.images);
        ensure!(
            args.force || patient.images > 0 || patient.set.is_some(),
            "nobody has the name {name}; --force merges it nevertheless"
        );
    }
    let by = args.by.clone().unwrap_or_else(caller);
    let merged = store.merge_patients(&args.from, &args.into, &by).await?;
    println!("{}", if merged { "merged" } else { "was merged before" });
    let on_two_sides = store.patients_on_two_sides().await?;
    if on_two_sides.contains(&args.from) || on_two_sides.contains(&args.into) {
        println!("on two sides: their images are not used from now on, but for those of the frozen set");
    }
    Ok(())
}
