/** The hold that an operator sees while the ledger's clock has jumped, and can approve. */
import type { Store } from "../store/store.ts";
import type { LedgerClock } from "./ledger-clock.ts";

export interface ClockHold {
  /** To be called now and then. True = a hold has ended, and what waited for it can be decided. */
  mind(): Promise<boolean>;
}

export function createClockHold({ sql }: Pick<Store, "sql">, ledgerClock: LedgerClock): ClockHold {
  let holdNo: number | undefined;
  return {
    async mind() {
      if (ledgerClock.isHeld) {
        if (holdNo === undefined) holdNo = await open(ledgerClock.jumpMs);
        else if (await isApproved(holdNo)) ledgerClock.release();
        return false;
      }
      if (holdNo === undefined) return false;
      await end(holdNo);
      holdNo = undefined;
      return true;
    },
  };

  /** Several replicas share one. */
  async function open(jumpMs: number): Promise<number | undefined> {
    const reason = `the database's clock jumped by ${Math.round(jumpMs / 1000)} s`;
    await sql`insert into holds (subject, reason) values ('clock', ${reason}) on conflict do nothing`;
    const [row] = await sql<{ hold_no: number }[]>`
      select hold_no from holds where subject = 'clock' and resolved_at is null`;
    return row?.hold_no;
  }

  async function isApproved(no: number): Promise<boolean> {
    const [row] = await sql<{ resolution: string | null }[]>`select resolution from holds where hold_no = ${no}`;
    return row?.resolution === "approved";
  }

  async function end(no: number): Promise<void> {
    await sql`
      update holds set resolved_at = clock_timestamp(), resolution = 'ended', resolved_by = 'ledger'
      where hold_no = ${no} and resolved_at is null`;
  }
}
