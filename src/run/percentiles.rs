//! The percentile distribution of a histogram as text.

use hdrhistogram::Histogram;
use std::io::{self, Write};

/// Percentile steps per halving of the distance to 100 %, as HdrHistogram's tools use it.
pub(super) const TICKS_PER_HALF_DISTANCE: u32 = 5;

/// Writes a histogram in HdrHistogram's percentile distribution format (`AbstractHistogram.outputPercentileDistribution`
/// of the Java library), which its plotter reads.
pub(super) fn write_percentiles(output: &mut impl Write, histogram: &Histogram<u64>) -> io::Result<()> {
    writeln!(output, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64, step.quantile_iterated_to());
        write!(output, "{value:>12.3} {quantile:>2.12} {total:>10}")?;
        if quantile < 1.0 {
            write!(output, " {:>14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(output)?;
    }
    let sub_buckets = 2 * 10_u32.pow(u32::from(histogram.sigfig()));
    writeln!(output, "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]", histogram.mean(), histogram.stdev())?;
    writeln!(output, "#[Max     = {:>12.3}, Total count    = {:>12}]", histogram.max() as f64, histogram.len())?;
    writeln!(
        output,
        "#[Buckets = {:>12}, SubBuckets     = {:>12}]",
        histogram.buckets(),
        sub_buckets.next_power_of_two()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_written_as_the_plotter_reads_them() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        (1..=1000).for_each(|value| histogram.record(value).unwrap());
        let mut bytes = Vec::new();
        write_percentiles(&mut bytes, &histogram).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[2], "       1.000 0.000000000000          1           1.00");
        assert!(lines.contains(&"     500.000 0.500000000000        500           2.00"), "{text}");
        assert!(lines.contains(&"    1000.000 1.000000000000       1000"), "{text}");
        assert!(text.ends_with(
            "#[Mean    =      500.500, StdDeviation   =      288.675]\n#[Max     =     1000.000, Total count    =         1000]\n\
             #[Buckets =           26, SubBuckets     =         2048]\n"
        ), "{text}");
    }
}
