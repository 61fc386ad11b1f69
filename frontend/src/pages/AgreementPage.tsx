/** How far annotators agree: with each other beyond chance, with themselves, with known answers; and how it went. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { agreementQuery } from "../api/queries";
import type { Agreement, Share } from "../api/types";
import { Figure } from "../components/Figure";
import { Forest } from "../components/Forest";
import { Page } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { count, percent, plural } from "../format";
import { Course } from "../review/Course";
import { Interval } from "../review/Interval";
import { CLOSE } from "../review/Whisker";

const ALPHAS = [
  { name: "Nominal", key: "alpha_nominal", means: "win, tie and loss are three different answers" },
  { name: "Ordinal", key: "alpha_ordinal", means: "answers in their order, with how strong the preference is where that is asked" },
  { name: "Interval", key: "alpha_interval", means: "a tie is half a win" },
] as const;

export function AgreementPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/agreement" });
  const agreement = useQuery(agreementQuery(slug));
  return (
    <Page
      title="Agreement"
      back={<Link to="/projects/$project/annotators" params={{ project: slug }} className="link">Annotators</Link>}
      lead="How far people agree on the same answers, with themselves when asked again, and with what is known."
    >
      <Loaded query={agreement}>
        {(data) =>
          data.units === 0 && !data.gold && !data.repeat_consistency ? (
            <Empty icon="team" title="Nothing to compare yet">Agreement shows as soon as two people have judged the same answers.</Empty>
          ) : (
            <div className="grid gap-6">
              <Alphas data={data} slug={slug} />
              <Shares data={data} />
              <Course slug={slug} file={`agreement-${slug}`} />
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}

function Alphas({ data, slug }: { data: Agreement; slug: string }) {
  const known = ALPHAS.flatMap(({ name, key, means }) => {
    const [value, error] = [data[key], data[`${key}_error`]];
    return value === null ? [] : [{ name, means, value, low: value - CLOSE * (error ?? 0), high: value + CLOSE * (error ?? 0), error }];
  });
  if (known.length === 0) return null;
  const plain = Math.abs((data.alpha_ordinal ?? 0) - (data.alpha_interval ?? 0)) < 1e-9;
  return (
    <Figure
      title="Krippendorff’s α"
      file={`alpha-${slug}`}
      caption={`${meaning(known[0]!.value)} From ${plural(data.units, "pair")} of answers that two or more people judged, with 95 % intervals.`}
      data={{ columns: ["level", "alpha", "standard error", "low", "high", "what it takes for disagreement"], rows: known.map((one) => [one.name, one.value, one.error, one.low, one.high, one.means]) }}
    >
      <Forest label={`Krippendorff’s alpha: ${known.map((one) => `${one.name} ${one.value.toFixed(2)}`).join(", ")}`} zero={0} format={(value) => value.toFixed(2)} rows={known.map((one) => ({ ...one, key: one.name }))} />
      <dl className="mt-2 grid gap-x-3 text-sm text-soft sm:grid-cols-[auto_1fr]">
        {known.map((one) => <div key={one.name} className="contents"><dt className="font-medium">{one.name}</dt><dd className="max-sm:mb-1">{one.means}{plain && one.name === "Ordinal" && "; it is not, so this is the same as interval"}</dd></div>)}
      </dl>
    </Figure>
  );
}

/** α is one less the disagreement seen over that by chance. */
function meaning(alpha: number): string {
  const rest = percent(Math.max(0, 1 - alpha));
  if (alpha >= 0.99) return "All but full agreement.";
  if (alpha <= 0) return "People disagree as much as answers drawn by lot would, or more.";
  return `People disagree ${rest} as often as answers drawn by lot would.`;
}

function Shares({ data }: { data: Agreement }) {
  const { majority_agreement: share, majority_agreement_error: error } = data;
  const majority: Share | null = share === null ? null : { share, low: Math.max(0, share - CLOSE * (error ?? 0)), high: Math.min(1, share + CLOSE * (error ?? 0)), n: data.units };
  const rows = [
    { name: "With the majority", share: majority, means: "says what most of the others say of the same answers", of: plural(data.units, "pair") },
    { name: "Same again", share: data.repeat_consistency, means: "gives the same answer when asked again with the sides swapped", of: data.repeat_consistency && count(data.repeat_consistency.n) },
    { name: "Known answers right", share: data.gold, means: "gives the known answer to a gold comparison", of: data.gold && count(data.gold.n) },
  ];
  return (
    <section aria-label="Shares" className="panel">
      <dl className="divide-y divide-line px-4">
        {rows.map((row) => (
          <div key={row.name} className="flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1 py-2.5">
            <dt className="min-w-0"><span className="font-medium">{row.name}</span> <span className="text-sm text-soft">how often somebody {row.means}</span></dt>
            <dd className="flex items-baseline gap-3"><Interval label={row.name} share={row.share} />{row.share && <span className="text-sm text-faint">of {row.of}</span>}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
