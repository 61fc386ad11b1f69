/** What gold is for, in words. */
import type { GoldUse } from "../api/types";

export const USES: Record<GoldUse, { name: string; hint: string }> = {
  check: { name: "Check", hint: "Mixed into real work and looks like any other: shows who reads with care." },
  practice: { name: "Practice", hint: "Comes first, and tells the annotator what was right and why." },
  qualification: { name: "Qualification", hint: "Comes after practice; enough right answers open the real work." },
};
