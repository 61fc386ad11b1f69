/** Fewer values than these show their course by themselves; smoothed they would lag far behind it. */
export const FEW = 40;

/** Exponential smoothing that starts without a lean to zero; gaps stay gaps. Pure. */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  let sum = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}
