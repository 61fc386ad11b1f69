/** Guidelines are read before the first judgment, and again when they change. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { projectQuery } from "../api/queries";
import type { Comparison, Project } from "../api/types";
import { markRead, readVersion } from "./guidelines";

export interface Reader {
  /** The version that the person has read. */
  read: number;
  done: () => void;
}

/** Calls `onUnread` when there is something that this person has not read yet. */
export function useGuidelines(user: string, slug: string, project: Project | null, current: Comparison | null, onUnread: () => void): Reader {
  const client = useQueryClient();
  const version = Math.max(current?.guidelines_version ?? 0, project?.guidelines_version ?? 0);
  useEffect(() => {
    if (!project || project.guidelines.trim() === "" || version <= readVersion(user, project.id)) return;
    if (version > project.guidelines_version) void client.invalidateQueries({ queryKey: projectQuery(slug).queryKey, exact: true });
    onUnread();
  }, [version, project, user, client, slug, onUnread]);
  return {
    read: project ? readVersion(user, project.id) : 0,
    done: () => {
      if (project) markRead(user, project.id, version);
    },
  };
}
