/** The hold that an operator sees while the ledger's clock has jumped, and can approve. */
import type { Sql } from "../store/sql.ts";

export async function openClockHold(sql: Sql, jumpMs: number): Promise<void> {
  const reason = `the database's clock jumped by ${Math.round(jumpMs / 1000)} s`;
  await sql`insert into holds (subject, reason) values ('clock', ${reason}) on conflict do nothing`;
}

/** Whether an operator has approved the newest one. */
export async function isClockApproved(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ resolution: string | null }[]>`
    select resolution from holds where subject = 'clock' order by hold_no desc limit 1`;
  return row?.resolution === "approved";
}

export async function endClockHold(sql: Sql): Promise<void> {
  await sql`
    update holds set resolved_at = clock_timestamp(), resolution = 'ended', resolved_by = 'ledger'
    where subject = 'clock' and resolved_at is null`;
}
