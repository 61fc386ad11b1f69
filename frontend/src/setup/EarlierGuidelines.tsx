/** The guidelines as they stood before; every judgment names the version it was made under. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { guidelinesQuery } from "../api/queries";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Markdown } from "../components/Markdown";
import { Loaded } from "../components/Status";
import { Time } from "../components/Time";

export function EarlierGuidelines({ slug, current }: { slug: string; current: number }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button look="quiet" onClick={() => setOpen(true)}>Earlier versions</Button>
      {open && (
        <Dialog title="Earlier guidelines" shape="drawer" onClose={() => setOpen(false)}>
          <Versions slug={slug} current={current} />
        </Dialog>
      )}
    </>
  );
}

function Versions({ slug, current }: { slug: string; current: number }) {
  const versions = useQuery(guidelinesQuery(slug));
  return (
    <Loaded query={versions}>
      {({ items }) => (
        <ol className="grid gap-6">
          {items.filter((one) => one.version !== current).map((one) => (
            <li key={one.version}>
              <h3 className="title text-md">Version {one.version} <span className="font-normal text-faint">· <Time at={one.created_at} /></span></h3>
              <div className="mt-1.5">{one.text.trim() === "" ? <p className="text-faint">There were none.</p> : <Markdown text={one.text} />}</div>
            </li>
          ))}
        </ol>
      )}
    </Loaded>
  );
}
