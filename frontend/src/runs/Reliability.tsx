/** How often the favourite of a reward model won, by how sure it was of it. */
import { Figure } from "../components/Figure";
import { Lines } from "../components/Lines";
import { percent } from "../format";

export interface ReliabilityBin {
  /** Mean probability that its scores give to the favourite. */
  expected: number;
  /** How often the favourite was preferred; a tie is a half. */
  won: number;
  pairs: number;
}

export function isReliability(value: unknown): value is ReliabilityBin[] {
  return Array.isArray(value) && value.length > 1 && value.every((one) => typeof one === "object" && one !== null && "expected" in one && "won" in one);
}

export function Reliability({ bins, file }: { bins: readonly ReliabilityBin[]; file: string }) {
  const lines = [
    { key: "won", name: "it won", values: bins.map((bin) => bin.won) },
    { key: "expected", name: "expected", values: bins.map((bin) => bin.expected) },
  ];
  return (
    <Figure
      title="As sure as it should be?"
      caption={`Held-out pairs in ${bins.length} equal parts, by how sure it is of its favourite. Where the favourite wins less often than expected, it is too sure.`}
      file={`${file}-calibration`}
      data={{ columns: ["expected", "won", "pairs"], rows: bins.map((bin) => [bin.expected, bin.won, bin.pairs]) }}
    >
      <Lines label="How often the favourite won, by how sure the reward model was" x={bins.map((bin) => bin.expected)} lines={lines} xName="probability that its scores give to the favourite" yName="the favourite won" format={(value) => percent(value)} xFormat={(place) => percent(place)} within={[0.5, 1]} height={230} />
    </Figure>
  );
}
