/** Who may sign in, and new people by a link. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouteContext } from "@tanstack/react-router";
import { useState } from "react";
import { changeUser, usersQuery } from "../api/queries";
import type { Role, User } from "../api/types";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { InviteDialog } from "../components/InviteDialog";
import { Page, TableFrame } from "../components/Page";
import { ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { day } from "../format";

export function PeoplePage() {
  const users = useQuery(usersQuery);
  const [inviting, setInviting] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  return (
    <Page
      title="People"
      lead="Annotators judge. Admins also see who wrote what, start runs, and invite others."
      actions={<Button look="primary" icon="plus" onClick={() => setInviting(true)}>Invite somebody</Button>}
    >
      <ErrorNote error={problem} className="mb-3" />
      <Loaded query={users}>
        {({ items }) => (
          <TableFrame label="People">
            <table className="table">
              <thead><tr><th>Name</th><th>Email</th><th>Role</th><th>Last seen</th><th>Since</th><th><span className="sr-only">Access</span></th></tr></thead>
              <tbody>{items.map((user) => <Row key={user.id} user={user} onProblem={setProblem} />)}</tbody>
            </table>
          </TableFrame>
        )}
      </Loaded>
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
    </Page>
  );
}

function Row({ user, onProblem }: { user: User; onProblem: (problem: unknown) => void }) {
  const { me } = useRouteContext({ from: "/app" });
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const self = me.user.id === user.id;
  const name = user.name || user.email || "this person";
  const change = async (part: { role?: Role; disabled?: boolean }, done: string) => {
    setBusy(true);
    onProblem(null);
    try {
      await changeUser(user.id, part);
      await client.invalidateQueries({ queryKey: usersQuery.queryKey });
      announce(done);
    } catch (error) {
      onProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <tr className={user.disabled ? "text-faint" : ""}>
      <td className="font-medium">{user.name || <span className="text-faint">–</span>}{self && <span className="font-normal text-faint"> (you)</span>}</td>
      <td className="min-w-44 [overflow-wrap:anywhere]">{user.email ?? <span className="text-faint">imported, cannot sign in</span>}</td>
      <td>
        {self ? user.role : (
          <select aria-label={`Role of ${name}`} className="field w-auto" disabled={busy || user.disabled} value={user.role} onChange={(event) => void change({ role: event.target.value as Role }, `${name} is now ${event.target.value}.`)}>
            <option value="annotator">annotator</option>
            <option value="admin">admin</option>
          </select>
        )}
      </td>
      <td><Time at={user.last_seen_at} /></td>
      <td>{day(new Date(user.created_at))}</td>
      <td className="text-right">
        {!self && (
          <Button look={user.disabled ? "plain" : "quiet"} busy={busy} aria-label={`${user.disabled ? "Let in again" : "Shut out"}: ${name}`} onClick={() => void change({ disabled: !user.disabled }, user.disabled ? `${name} may sign in again.` : `${name} can no longer sign in.`)}>
            {user.disabled ? "Let in again" : "Shut out"}
          </Button>
        )}
      </td>
    </tr>
  );
}
