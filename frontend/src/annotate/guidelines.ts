/** Which version of a project's guidelines this person has read, in this browser. */

const key = (user: string, project: string): string => `podium.guidelines.${user}.${project}`;

export function readVersion(user: string, project: string): number {
  try {
    return Number(localStorage.getItem(key(user, project)) ?? 0);
  } catch {
    return 0;
  }
}

export function markRead(user: string, project: string, version: number): void {
  try {
    localStorage.setItem(key(user, project), String(version));
  } catch {
    // Storage is off: they will be shown again, which does no harm.
  }
}
