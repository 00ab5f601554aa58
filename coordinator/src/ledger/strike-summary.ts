/** What outlives the sightings of a strike, in JSON of at most 1 KB: jails with counts, first and last, its rung. */
import type { FreshSighting } from "../policy/evidence.ts";

const MAX_JAILS = 8;
const MAX_BYTES = 900; // Postgres writes jsonb with a blank after each comma and colon

export function strikeSummary(sightings: readonly FreshSighting[], rungSeconds: number): string {
  const counts = new Map<string, number>();
  for (const { jail } of sightings) counts.set(jail, (counts.get(jail) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_JAILS);
  for (let kept = most.length; kept >= 0; kept -= 1) {
    const text = JSON.stringify({
      rungSeconds,
      sightings: sightings.length,
      failures: sightings.reduce((sum, { failures }) => sum + failures, 0),
      firstAt: Math.min(...sightings.map(({ at }) => at)),
      lastAt: Math.max(...sightings.map(({ at }) => at)),
      jails: Object.fromEntries(most.slice(0, kept)),
    });
    if (Buffer.byteLength(text) <= MAX_BYTES) return text;
  }
  throw new Error("internal error: a strike's summary without jails is too long");
}
