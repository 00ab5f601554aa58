/**
 * Finds what is to be reported: looks at the sightings since the last time, judges each address by all that is known of it,
 * and keeps what is worth reporting as planned. Sends nothing.
 *
 * Sightings are found by the time they came in. One that waited for its commit longer than the overlap is found with the
 * next sighting of the same address: reporting owes the world diligence, not completeness.
 */
import { piecesOf } from "@fleetban/kit/pieces";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type Judged, judge, type WorthReporting } from "./candidate.ts";
import { selectAgentNames, selectCandidates, selectOlderJails, selectSighted } from "./candidate-queries.ts";
import { isSecondHand } from "./categories.ts";
import { createNetworksSeen, keepOneANetwork } from "./networks.ts";
import type { ReportsParts } from "./parts.ts";
import { lockReports, lookedUntil, refuseTooOld, saveLookedUntil, savePlanned, trimPlanned } from "./queries.ts";
import type { ReportPolicy } from "./report-table.ts";
import { ownWords } from "./scrub.ts";

const OVERLAP_MS = 2 * 60_000;
/** Addresses that are held at a time, and judged in one go. */
const PAGE = 50_000;
const JUDGED = 500;
/** Two files of a bulk report. */
const PLANNED_MAX = 20_000;

export interface Planned {
  /** Addresses that had no report planned before. */
  readonly planned: number;
}

type PlanParts = Pick<ReportsParts, "store" | "ledger" | "policy" | "hostNames" | "log">;

/**
 * Up to now. An address is judged once, by all that was sighted of it, however long nobody has looked. A run that is
 * interrupted begins anew, which changes nothing of what it has planned.
 */
export async function planReports(parts: PlanParts, signal: AbortSignal): Promise<Planned> {
  const { store, ledger, log } = parts;
  const policy = parts.policy();
  const words = await privateWords(parts);
  const untilMs = ledger.ledgerTimeMs();
  const oldestMs = untilMs - policy.maxAgeSeconds * 1_000;
  const fromMs = Math.max(oldestMs, ((await lookedUntil(store.sql)) ?? oldestMs) - OVERLAP_MS);
  let planned = 0;
  for await (const judged of judgements(parts, { fromMs, untilMs, oldestMs }, policy, words)) {
    signal.throwIfAborted();
    const worth = judged.filter((one): one is WorthReporting => one.kind === "report");
    planned += await store.transaction(async (sql) => {
      await lockReports(sql);
      const saved = await savePlanned(sql, worth, policy.againAfterSeconds);
      return saved === 0 ? 0 : Math.max(0, saved - (await keepOneANetwork(sql)));
    });
  }
  await saveLookedUntil(store.sql, untilMs);
  const tooOld = await refuseTooOld(store.sql, policy.maxAgeSeconds);
  const trimmed = await trimPlanned(store.sql, PLANNED_MAX);
  if (planned + tooOld + trimmed > 0) log.info("reports.planned", { planned, tooOld, trimmed });
  return { planned };
}

export interface Preview {
  /** The most valuable first. */
  readonly reports: readonly WorthReporting[];
  readonly total: number;
  /** Addresses by the reason for which they are left out. */
  readonly leftOut: Readonly<Record<string, number>>;
  /** Addresses by jail, of jails that nobody has mapped. */
  readonly unmappedJails: ReadonlyMap<string, number>;
}

/** What the policy in force would report of all that is young enough; changes nothing. */
export async function previewReports(
  parts: PlanParts,
  { limit, only }: { readonly limit: number; readonly only: Prefix | undefined },
): Promise<Preview> {
  const policy = parts.policy();
  const words = await privateWords(parts);
  const untilMs = parts.ledger.ledgerTimeMs();
  const oldestMs = untilMs - policy.maxAgeSeconds * 1_000;
  const reports: WorthReporting[] = [];
  const leftOut: Record<string, number> = {};
  const unmappedJails = new Map<string, number>(); // agents name jails, and one may be called "constructor"
  const networks = createNetworksSeen();
  let total = 0;
  const pages =
    only === undefined
      ? judgements(parts, { fromMs: oldestMs, untilMs, oldestMs }, policy, words)
      : [await judgeAddresses(parts, [only], oldestMs, policy, words)];
  for await (const judged of pages) {
    for (const one of judged) {
      if (one.kind === "report") {
        const displaced = networks.displaces(one);
        if (displaced !== undefined) leftOut["network-reported"] = (leftOut["network-reported"] ?? 0) + 1;
        if (displaced === one.address) continue;
        const at = displaced === undefined ? -1 : reports.findIndex(({ address }) => address === displaced);
        if (at >= 0) reports.splice(at, 1);
        if (displaced === undefined) total += 1;
        reports.push(one);
      } else {
        leftOut[one.why] = (leftOut[one.why] ?? 0) + 1;
        if (one.why === "unmapped-jail") {
          for (const jail of one.jails) unmappedJails.set(jail, (unmappedJails.get(jail) ?? 0) + 1);
        }
      }
    }
    reports.sort((a, b) => b.worth - a.worth).splice(limit);
  }
  return { reports, total, leftOut, unmappedJails };
}

/** In pages: a storm has more addresses than one wants to hold. */
async function* judgements(
  parts: PlanParts,
  time: { readonly fromMs: number; readonly untilMs: number; readonly oldestMs: number },
  policy: ReportPolicy,
  words: readonly string[],
): AsyncGenerator<readonly Judged[]> {
  let after: Prefix | undefined;
  for (;;) {
    const addresses = await selectSighted(parts.store.sql, time, after, PAGE);
    for (const some of piecesOf(addresses, JUDGED)) {
      yield await judgeAddresses(parts, some, time.oldestMs, policy, words);
    }
    after = addresses.at(-1);
    if (addresses.length < PAGE) return;
  }
}

async function judgeAddresses(
  { store }: PlanParts,
  addresses: readonly Prefix[],
  oldestMs: number,
  policy: ReportPolicy,
  words: readonly string[],
): Promise<readonly Judged[]> {
  const judged: Judged[] = [];
  const since = { fromMs: oldestMs, againAfterSeconds: policy.againAfterSeconds };
  for (const candidate of await selectCandidates(store.sql, addresses, since)) {
    const isSecond = candidate.sighted.length > 0 && candidate.sighted.every(({ jail }) => isSecondHand(jail));
    const older = isSecond ? await selectOlderJails(store.sql, candidate.address) : [];
    judged.push(judge({ ...candidate, sighted: [...candidate.sighted, ...older] }, policy, words));
  }
  return judged;
}

async function privateWords({ store, policy, hostNames }: PlanParts): Promise<readonly string[]> {
  return ownWords([...hostNames, ...(await selectAgentNames(store.sql))], policy().scrub);
}
