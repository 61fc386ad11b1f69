/** When a picture need not be drawn again. Pure. */

interface Props {
  /** Whether anybody may be looking; left out: yes. */
  near?: boolean | undefined;
}

/** Nothing about it has changed, or nobody sees it: what changed meanwhile is drawn when it comes into sight. */
export function standsStill<P extends object>(before: P & Props, now: P & Props): boolean {
  return now.near === false || (Object.keys({ ...before, ...now }) as (keyof P)[]).every((key) => before[key] === now[key]);
}
