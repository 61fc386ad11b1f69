/** The guidelines of the project: looked up at the side, or put in front before judging goes on, with what has changed. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { guidelinesQuery } from "../api/queries";
import type { Project } from "../api/types";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Segments } from "../components/Field";
import { Markdown } from "../components/Markdown";
import { count } from "../format";
import { changes } from "./diff";

interface GuidelinesDialogProps {
  slug: string;
  project: Project;
  /** They have to be read before judging goes on. */
  first: boolean;
  /** The version that was read last; 0: none. */
  read: number;
  onClose: () => void;
}

export function GuidelinesDialog({ slug, project, first, read, onClose }: GuidelinesDialogProps) {
  const { t } = useTranslation("annotate");
  const changed = first && read > 0;
  const versions = useQuery({ ...guidelinesQuery(slug), enabled: changed });
  const before = changed ? versions.data?.items.find((one) => one.version === read)?.text : undefined;
  const [whole, setWhole] = useState(false);
  return (
    <Dialog
      title={changed ? t("guidelines.changed") : t("guidelines.title")}
      shape={first ? "wide" : "drawer"}
      onClose={onClose}
      footer={first && <Button look="primary" onClick={onClose} data-focus>{changed ? t("guidelines.goOn") : t("guidelines.start")}</Button>}
    >
      {before !== undefined && (
        <Segments
          label={t("guidelines.view")}
          className="mb-4"
          value={whole ? "whole" : "changes"}
          options={[{ value: "changes", label: t("guidelines.changes") }, { value: "whole", label: t("guidelines.whole") }]}
          onChange={(value) => setWhole(value === "whole")}
        />
      )}
      {project.guidelines.trim() === "" ? (
        <p className="text-soft">{t("guidelines.none")}</p>
      ) : before !== undefined && !whole ? (
        <Changes before={before} after={project.guidelines} />
      ) : (
        <Markdown text={project.guidelines} />
      )}
      <p className="mt-5 text-sm text-faint">{t("guidelines.version", { version: count(project.guidelines_version) })}</p>
    </Dialog>
  );
}

function Changes({ before, after }: { before: string; after: string }) {
  return (
    <div className="plain">
      {changes(before, after).map(({ text, what }, at) =>
        what === "same" ? (
          <span key={at}>{text}</span>
        ) : what === "new" ? (
          <ins key={at} className="rounded-[3px] bg-accent-wash text-accent decoration-1 underline-offset-[3px]">{text}</ins>
        ) : (
          <del key={at} className="text-faint decoration-1">{text}</del>
        ),
      )}
    </div>
  );
}
