/** Sightings as the ledger has them, counted in its own database, by address. */
import { join } from "node:path";
import postgres from "postgres";
import type { FleetCoordinator } from "./coordinator.ts";

export async function countSightings({ dir }: FleetCoordinator): Promise<ReadonlyMap<string, number>> {
  const path = join(dir, "data/postgres/run/.s.PGSQL.5432");
  const sql = postgres({ path, username: "fleetban", database: "postgres", max: 1, onnotice: () => undefined });
  try {
    const rows = await sql<{ address: string; count: number }[]>`
      select host(prefix) as address, count(*)::int as count from sightings group by prefix`;
    return new Map(rows.map(({ address, count }) => [address, count]));
  } finally {
    await sql.end();
  }
}
