/** The fleet's own addresses with the names of their owners, for refusals that say whose address it is. */
import type { AdminParts } from "./parts.ts";
import type { ProtectedAddress } from "./subject.ts";

export async function protectedAddresses({ ledger, store }: AdminParts): Promise<ProtectedAddress[]> {
  const known = ledger.protectedAddresses();
  if (known.length === 0) return [];
  const agentNos = [...new Set(known.map(({ agentNo }) => agentNo))];
  const rows = await store.sql<{ agent_no: number; name: string }[]>`
    select agent_no, name from agents where agent_no = any(${agentNos}::int[])`;
  const nameByNo = new Map(rows.map((row) => [row.agent_no, row.name]));
  return known.map(({ address, agentNo }) => ({
    address,
    owner: agentNo === 0 ? "a coordinator" : `agent ${nameByNo.get(agentNo) ?? agentNo}`,
  }));
}
