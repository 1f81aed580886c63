//! How phone numbers are to be read, as the flags say it, and whether that comes too late for a batch.

use anyhow::bail;

use super::args::InputArgs;
use super::failure::Usage;
use crate::invocation::{National, PhoneRules};
use crate::store::Batch;

/// The rules that the flags make.
pub(super) fn of(input: &InputArgs) -> anyhow::Result<PhoneRules> {
    let national = match (input.country_code, input.national_length) {
        (Some(code), Some(length)) => Some(National { code, length }),
        (None, None) => None,
        (Some(_), None) => bail!(Usage(
            "`--country-code` without `--national-length`: it is not said which numbers lack the code\n\
             hint: `--national-length 10` if they have 10 digits without it"
                .to_owned()
        )),
        (None, Some(_)) => bail!(Usage(
            "`--national-length` without `--country-code`: it is not said which code these numbers lack\n\
             hint: `--country-code 1` puts a 1 before them"
                .to_owned()
        )),
    };
    Ok(PhoneRules { national, only_countries: input.only_countries.clone() })
}

/// Refuses flags that read a batch's numbers otherwise than its import did: they come too late for it.
pub(super) fn check_batch(batch: &Batch, input: &InputArgs) -> anyhow::Result<()> {
    let given = of(input)?;
    if given == PhoneRules::default() || given == batch.settings.phones {
        return Ok(());
    }
    bail!(Usage(format!(
        "batch `{}` was imported with other `--country-code`, `--national-length` or `--only-countries`; nothing was sent\n\
         hint: leave them out to go on with it as it is; `--again` with the file and these flags makes another batch, \
         which texts those once more whom this one has reached",
        batch.name
    )));
}
