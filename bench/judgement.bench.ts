/**
 * The coordinator's judgement, each part by itself: `decide` over the sightings of a busy fleet on one core, `explain` of one
 * address among a million offenders, the plan of a changed policy over seven days, a feed's refresh end to end.
 */
import { measureDecide } from "./judgement-decide.ts";
import { measureExplain } from "./judgement-explain.ts";
import { measureFeedRefresh } from "./judgement-feed.ts";
import { measurePlan } from "./judgement-plan.ts";
import { benchOptions, quantile, report, round } from "./measured.ts";
import { perform } from "./perform.ts";

const SIZES = {
  full: {
    sightings: 1_000_000,
    offenders: 100_000,
    known: 1_000_000,
    explained: 1_000,
    window: { sightings: 1_000_000, offenders: 100_000 },
    entries: 100_000,
  },
  quick: {
    sightings: 200_000,
    offenders: 20_000,
    known: 100_000,
    explained: 200,
    window: { sightings: 100_000, offenders: 10_000 },
    entries: 20_000,
  },
};
const DEADLINE_MS = 900_000;

const options = benchOptions(process.argv.slice(2));
const size = SIZES[options.quick ? "quick" : "full"];

await perform(DEADLINE_MS, async (undo) => {
  const decided = measureDecide(size.sightings, size.offenders);
  const explained = await apart(undo, (inner) => measureExplain(size.known, size.explained, inner));
  const planned = await apart(undo, (inner) => measurePlan(size.window, inner));
  const refreshed = await apart(undo, (inner) => measureFeedRefresh(size.entries, inner));
  const perSecond = Math.round(decided.sightings / decided.seconds);
  const explainMs = [0.5, 0.99].map((share) => round(quantile(explained.tookMs, share)));
  const refreshSeconds = Math.max(refreshed.firstSeconds, refreshed.nextSeconds);
  report(
    {
      bench: "judgement",
      figures: {
        decide_per_s: perSecond,
        explain_p99_ms: explainMs[1] ?? Number.NaN,
        plan_s: round(planned.seconds),
        feed_refresh_s: round(refreshSeconds),
      },
      columns: ["judged", "over", "takes"],
      rows: [
        ["decide, one core", `${decided.sightings} sightings of ${decided.offenders} offenders`, `${perSecond}/s`],
        ["explain, median", `${explained.offenders} offenders`, `${explainMs[0]} ms`],
        ["explain, p99", `${explained.offenders} offenders`, `${explainMs[1]} ms`],
        [
          "policy plan, 7 days",
          `${planned.sightings} sightings of ${planned.offenders} offenders`,
          `${round(planned.seconds)} s`,
        ],
        ["feed refresh, the first", `${refreshed.entries} entries`, `${round(refreshed.firstSeconds)} s`],
        ["feed refresh, the next day", `${refreshed.entries} entries`, `${round(refreshed.nextSeconds)} s`],
      ],
      notes: [
        ["decided", `${decided.strikes} strikes, ${decided.notListed} not listed`],
        ["planned", `${planned.changes} changes`],
        ["applied", `the policy in force to all lists, in slices: ${round(planned.settledSeconds)} s`],
        [
          "during refresh",
          `${refreshed.sightings} sightings acknowledged, p99 ${round(refreshed.ackP99Ms)} ms, at most ${round(refreshed.ackMaxMs)} ms`,
        ],
      ],
    },
    options,
  );
});

/** What a part made is gone before the next begins, and in any case at the end. */
async function apart<Measured>(
  undo: AsyncDisposableStack,
  measure: (inner: AsyncDisposableStack) => Promise<Measured>,
): Promise<Measured> {
  const inner = undo.use(new AsyncDisposableStack());
  const measured = await measure(inner);
  await inner.disposeAsync();
  return measured;
}
