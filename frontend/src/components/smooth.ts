/** Fewer values than these show their course by themselves, and smoothed they would lag far behind it. */
const FEW = 12;

/** Exponential smoothing that starts without a lean to zero; gaps stay gaps. Pure. */
export function smooth(values: readonly (number | null)[], wanted: number): (number | null)[] {
  const weight = values.length < FEW ? 0 : wanted;
  let sum = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}
