/** The ledger's own database, for counting what is in it, and for letting time pass in it. */
import { join } from "node:path";
import postgres from "postgres";
import type { FleetCoordinator } from "./coordinator.ts";

export async function withLedgerSql<Result>(
  { dir }: Pick<FleetCoordinator, "dir">,
  act: (sql: postgres.Sql) => Promise<Result>,
): Promise<Result> {
  const path = join(dir, "data/postgres/run/.s.PGSQL.5432");
  const sql = postgres({ path, username: "fleetban", database: "postgres", max: 1, onnotice: () => undefined });
  try {
    return await act(sql);
  } finally {
    await sql.end();
  }
}

/** Sightings by address. */
export async function countSightings(coordinator: FleetCoordinator): Promise<ReadonlyMap<string, number>> {
  return await withLedgerSql(coordinator, async (sql) => {
    const rows = await sql<{ address: string; count: number }[]>`
      select host(prefix) as address, count(*)::int as count from sightings group by prefix`;
    return new Map(rows.map(({ address, count }) => [address, count]));
  });
}
