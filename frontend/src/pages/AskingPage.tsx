/** What to ask next: how precise ratings are and when they will be enough, and whether choosing pays. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { askingQuery, projectQuery } from "../api/queries";
import type { Asking, Project } from "../api/types";
import { gainLines, gainRows, pays } from "../asking/gain";
import { Distribution } from "../asking/Distribution";
import { ButtonLink } from "../components/Button";
import { Figure } from "../components/Figure";
import { Fact, Facts } from "../components/Facts";
import { Lines } from "../components/Lines";
import { Page } from "../components/Page";
import { Bones, Empty, Loaded } from "../components/Status";
import { count, percent, plural } from "../format";
import { days, roughly } from "../overview/forecast";

export function AskingPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/asking" });
  const project = useQuery(projectQuery(slug)).data;
  const asking = useQuery(askingQuery(slug));
  return (
    <Page
      title="What to ask next"
      back={<Link to="/projects/$project" params={{ project: slug }} className="link">{project?.name ?? slug}</Link>}
      lead="Pairs are chosen where an answer teaches most, and some by chance to see whether that pays. What is known well enough is asked no more."
      actions={<ButtonLink to="/projects/$project/settings" params={{ project: slug }}>Settings</ButtonLink>}
    >
      <Loaded query={asking} bones={<Bones rows={10} />}>
        {(data) => (project ? <Found slug={slug} project={project} asking={data} /> : <Bones rows={10} />)}
      </Loaded>
    </Page>
  );
}

interface FoundProps {
  slug: string;
  project: Project;
  asking: Asking;
}

function Found({ slug, project, asking }: FoundProps) {
  const { gain } = asking;
  return (
    <div className="grid gap-4">
      <Stand asking={asking} project={project} />
      {asking.errors.length === 0 ? (
        <section className="panel"><Empty icon="judgments" title="Nothing is judged yet">How precise ratings are is told from judgments.</Empty></section>
      ) : (
        <Precision slug={slug} asking={asking} />
      )}
      {gain.informative.length + gain.random.length > 0 && <Pays slug={slug} project={project} gain={gain} />}
    </div>
  );
}

/** Where it stands, in a sentence, a bar and a few numbers. */
function Stand({ asking, project }: { asking: Asking; project: Project }) {
  const { target_error: target, prompts, settled, typical_error: typical, forecast } = asking;
  const share = prompts === 0 ? 0 : settled / prompts;
  return (
    <section aria-label="Where it stands" className="panel px-5 py-4">
      {target === null ? (
        <p className="max-w-[75ch] text-pretty">
          No precision is asked for, so every set of answers is judged {project.overlap === 1 ? "once" : `${count(project.overlap)} times`}. With one, in the settings, a prompt is asked about only until its ratings are known to that, and the judgments saved go where they teach more.
        </p>
      ) : (
        <>
          <p className="text-md font-medium">{count(settled)} of {plural(prompts, "prompt")} {settled === 1 ? "is" : "are"} settled: the standard error of every rating is ±{count(target)} Elo points or less.</p>
          <div className="mt-2.5 h-2 overflow-hidden rounded-full bg-sunken" role="progressbar" aria-label="Settled prompts" aria-valuemin={0} aria-valuemax={prompts} aria-valuenow={settled}>
            <div className="h-full rounded-full bg-accent" style={{ width: `${share * 100}%` }} />
          </div>
        </>
      )}
      <Facts className="mt-3.5">
        {target !== null && <Fact name="Settled" value={percent(share)} />}
        <Fact name="Typical error" value={typical === null ? "–" : `±${count(Math.round(typical))}`} hint="The median standard error of the rating of an answer that was judged, in Elo points." />
        <Fact name="Judgments left" value={forecast.judgments_left === null ? "–" : forecast.judgments_left === 0 ? "none" : `about ${count(roughly(forecast.judgments_left))}`} hint={target === null ? "As many as the project wants of each set of answers." : "If each teaches as much as those so far have taught in the mean."} />
        <Fact name="At this pace" value={forecast.days_left === null || forecast.judgments_left === 0 ? "–" : days(forecast.days_left)} hint="The pace of the last days on which anybody judged." />
      </Facts>
    </section>
  );
}

function Precision({ slug, asking: { errors, distribution, target_error: target, prompts } }: { slug: string; asking: Asking }) {
  const x = errors.map((line) => line.judgments);
  const lines = [{ key: "error", name: "median", values: errors.map((line) => line.median_error) }];
  if (target !== null) lines.push({ key: "target", name: "asked for", values: x.map(() => target) });
  const judged = errors.reduce((sum, line) => sum + line.prompts, 0);
  const none = prompts > judged && ` ${plural(prompts - judged, "prompt has", "prompts have")} no judgment yet.`;
  const only = errors.length === 1 ? errors[0] : undefined;
  const byJudgments = { columns: ["judgments", "prompts", "median error"], rows: errors.map((line) => [line.judgments === line.upto ? line.judgments : `${line.judgments} to ${line.upto}`, line.prompts, line.median_error]) };
  const byError = { columns: ["error from", "to", "prompts"], rows: distribution.map((bin) => [bin.low, bin.high, bin.prompts]) };
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Figure title="Prompts by error" caption={<>The standard error of the least certain answer of each prompt, in Elo points.{none}</>} file={`${slug}-errors`} data={byError}>
        <Distribution bins={distribution} target={target} />
      </Figure>
      <Figure title="Error by judgments" caption="The same error, its median over prompts with so many judgments." file={`${slug}-errors-by-judgments`} data={byJudgments} words={only !== undefined}>
        {only ? (
          <p className="py-4 text-soft">Each judged prompt has {only.upto === 1 ? "one judgment" : `${only.judgments === only.upto ? "" : `${only.judgments} to `}${only.upto} judgments`}, and the median error is ±{count(Math.round(only.median_error))} Elo points. A line shows once some have more than others.</p>
        ) : (
          <Lines label="Error by number of judgments" x={x} lines={lines} xName="judgments of a prompt" yName="± Elo points" within={[0]} height={260} format={(value) => count(Math.round(value))} />
        )}
      </Figure>
    </div>
  );
}

function Pays({ slug, project, gain }: { slug: string; project: Project; gain: Asking["gain"] }) {
  const { x, lines } = gainLines(gain);
  return (
    <Figure
      title="Whether choosing pays"
      caption={<>{pays(gain, project.random_share)} Drawn: by how much the first judgments of a prompt lowered the uncertainty of its ratings together (variance, squared log-odds), with 95% bands.</>}
      file={`${slug}-asking`}
      data={gainRows(gain)}
      words={x.length === 1}
    >
      {x.length === 1 ? (
        <p className="py-4 text-soft">So far this is told from one judgment of each prompt. Lines show once prompts have several.</p>
      ) : (
        <Lines label="What judgments taught, chosen and by chance" x={x} lines={lines} xName="judgments of a prompt" yName="uncertainty removed" within={[0]} format={(value) => value.toFixed(2)} />
      )}
    </Figure>
  );
}
