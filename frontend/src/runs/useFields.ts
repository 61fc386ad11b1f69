/** The fields of a kind's config, as its form asks them; none while they are loading. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { runKindsQuery } from "../api/queries";
import { type FieldSpec, fieldsOf, type JsonSchema } from "../components/schema";

export function useFields(kind: string): FieldSpec[] {
  const schema = useQuery(runKindsQuery).data?.items.find((one) => one.kind === kind)?.schema;
  return useMemo(() => (schema ? fieldsOf(schema as JsonSchema) : []), [schema]);
}
