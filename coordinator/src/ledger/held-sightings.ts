/** Sightings that were stored while the clock was held are decided when the hold ends, in slices. */
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import { type Applied, type ApplyParts, applyChanges } from "./apply-changes.ts";
import { bySubject, decideBatch, type FreshOne } from "./conclude.ts";
import { lockLedger, saveRemembered } from "./evidence-queries.ts";
import { readEvidence } from "./read-evidence.ts";
import { outcomeCode, sourceName } from "./sighting-codes.ts";
import { momentFromSql, prefixFromSql } from "./sql-values.ts";
import { STALE_EPOCH } from "./stale-epoch.ts";
import { STALE_POLICY } from "./stale-policy.ts";

const SIGHTINGS_A_COMMIT = 500;

/** Absent = there are no more. */
export async function decideHeld(
  sql: Sql,
  parts: ApplyParts & { policy: Policy; epoch: string },
): Promise<Applied | undefined> {
  const ledger = await lockLedger(sql, SIGHTINGS_A_COMMIT);
  if (ledger.epoch !== parts.epoch) throw STALE_EPOCH;
  if (ledger.policyNo !== parts.policy.policyNo) throw STALE_POLICY;
  const held = await takeHeld(sql);
  if (held.length === 0) return undefined;
  const fresh = bySubject(held, parts.policy, parts.lists);
  const evidence = await readEvidence(sql, fresh, parts.policy);
  const decided = decideBatch(fresh, evidence, parts.policy, ledger.now, ledger.firstStrikeNo);
  const applied = await applyChanges(sql, parts, { changes: decided.changes, cause: { kind: "sightings" } });
  await saveRemembered(sql, decided, parts.policy.policyNo, ledger.revision + 1);
  return applied;
}

async function takeHeld(sql: Sql): Promise<FreshOne[]> {
  const rows = await sql<
    {
      offender: string;
      agent_no: number;
      jail: string;
      source: number;
      protocol: string;
      sighted: number;
      ban_seconds: number;
      failures: number;
    }[]
  >`
    update sightings s set outcome = ${outcomeCode("counted")}
    from (select received_at, spool_no, seq from sightings where outcome = ${outcomeCode("held")}
      order by received_at limit ${SIGHTINGS_A_COMMIT}) as h
    where s.received_at = h.received_at and s.spool_no = h.spool_no and s.seq = h.seq
    returning offender::text, agent_no, jail, source, protocol, extract(epoch from sighted_at)::float8 as sighted, ban_seconds, failures`;
  return rows.map(({ offender, agent_no, jail, protocol, failures, ...row }) => {
    const at = momentFromSql(row.sighted);
    const told = { jail, source: sourceName(row.source), protocol };
    const sighting = { agentNo: agent_no, kind: "ban" as const, ...told, at, banSeconds: row.ban_seconds, failures };
    return { prefix: prefixFromSql(offender), sighting };
  });
}
