/** The address may name a judgment that is to be given again: links of “My work” do. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useEffectEvent } from "react";

export function useAgain(again: (judgment: string) => void): void {
  const { again: judgment } = useSearch({ from: "/app/projects/$project/annotate" });
  const navigate = useNavigate();
  const begin = useEffectEvent((id: string) => {
    void navigate({ to: ".", search: {}, replace: true }); // A reload must not take back what has been judged since.
    again(id);
  });
  useEffect(() => {
    if (judgment) begin(judgment);
  }, [judgment]);
}
