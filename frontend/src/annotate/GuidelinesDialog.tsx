/** The guidelines of the project: looked up at the side, or put in front before the first judgment. */
import type { Project } from "../api/types";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Markdown } from "../components/Markdown";
import { count } from "../format";

interface GuidelinesDialogProps {
  project: Project;
  /** They have to be read before judging goes on. */
  first: boolean;
  /** An earlier version has been read. */
  changed: boolean;
  onClose: () => void;
}

export function GuidelinesDialog({ project, first, changed, onClose }: GuidelinesDialogProps) {
  return (
    <Dialog
      title={first && changed ? "The guidelines have changed" : "Guidelines"}
      shape={first ? "wide" : "drawer"}
      onClose={onClose}
      footer={first && <Button look="primary" onClick={onClose} data-focus>Start judging</Button>}
    >
      {project.guidelines.trim() === "" ? <p className="text-soft">This project has no guidelines yet.</p> : <Markdown text={project.guidelines} />}
      <p className="mt-5 text-sm text-faint">Version {count(project.guidelines_version)}. Your judgments are recorded under the version you saw.</p>
    </Dialog>
  );
}
