/** Judgments that were set aside together, each list with its reason and its way back. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { projectChanged } from "../api/queries";
import { restoreVoiding, voidingsQuery } from "../api/quality";
import type { Voiding } from "../api/types";
import { Button } from "../components/Button";
import { Section } from "../components/Page";
import { ErrorNote } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";
import { plural } from "../format";

/** `annotator`: only this person's; null: all. */
export function Voidings({ slug, annotator }: { slug: string; annotator: string | null }) {
  const voidings = useQuery(voidingsQuery(slug));
  const items = voidings.data?.items.filter((one) => annotator === null || one.annotator?.id === annotator) ?? [];
  if (items.length === 0) return voidings.isError ? <ErrorNote error={voidings.error} retry={() => void voidings.refetch()} className="mt-6" /> : null;
  return (
    <Section title="Set aside">
      <ul className="panel divide-y divide-line">
        {items.map((one) => <Row key={one.id} slug={slug} voiding={one} />)}
      </ul>
    </Section>
  );
}

function Row({ slug, voiding }: { slug: string; voiding: Voiding }) {
  const client = useQueryClient();
  const action = useAction();
  const whose = voiding.annotator ? `of ${voiding.annotator.name}` : "that said otherwise than an admin";
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5">
      <div className={`min-w-0 flex-1 basis-64 ${voiding.undone_at ? "text-faint" : ""}`}>
        <p><span className="font-medium">{plural(voiding.judgments, "judgment")} {whose}</span>: {voiding.reason}</p>
        <p className="text-sm text-faint">
          {voiding.created_by?.name ?? "somebody"}, <Time at={voiding.created_at} />
          {voiding.undone_at && <> · restored <Time at={voiding.undone_at} /></>}
        </p>
      </div>
      {!voiding.undone_at && (
        <Button
          busy={action.busy}
          aria-label={`Restore ${plural(voiding.judgments, "judgment")} ${whose}`}
          onClick={() => void action.run(async () => {
            await restoreVoiding(voiding.id);
            await projectChanged(client, slug);
          }, "Restored: these judgments count again.")}
        >
          Restore
        </Button>
      )}
      <ErrorNote error={action.problem} className="basis-full" />
    </li>
  );
}
