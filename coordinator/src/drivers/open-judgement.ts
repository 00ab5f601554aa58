/**
 * Opens what judges: the policies, and what follows the one in force: feeds and never-ban packs.
 *
 * In two steps, because the ledger asks the policy and the feeds write to the ledger.
 */
import type { Clock } from "@fleetban/kit/clock";
import { VERSION } from "@fleetban/kit/drivers/version";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { CoordinatorConfig } from "../config.ts";
import { abuseIpdbAccessOf } from "../config-settings.ts";
import { defineFeeds } from "../feeds/define-feeds.ts";
import { feedDefinitionsOf } from "../feeds/definitions.ts";
import { FETCH_LIMITS, type FeedsParts } from "../feeds/parts.ts";
import { brakeList } from "../guardrails/brake-list.ts";
import { guardrailsOf } from "../guardrails/guardrails.ts";
import { createFeedJudge } from "../guardrails/protections.ts";
import type { PacksParts } from "../guardrails/sync-packs.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { feedsToFetch } from "../policies/feeds-to-fetch.ts";
import { openPolicies, type Policies } from "../policies/policies.ts";
import type { LifeParts } from "../policies/policy-life.ts";
import type { PolicyFile } from "../policy/policy-table.ts";
import type { Store } from "../store/store.ts";
import { readFeedFile } from "./feed-file.ts";
import { downloadOverHttp } from "./http-download.ts";
import { readPacks } from "./pack-files.ts";

export interface JudgementParts {
  readonly config: CoordinatorConfig;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly replica: string;
}

export interface Judgement {
  readonly policies: Policies;
  /** The second step. */
  over(ledger: Ledger, jobs: Pick<Jobs, "runNow">): Judging;
}

export interface Judging {
  readonly feeds: FeedsParts;
  readonly packs: PacksParts;
  readonly policies: LifeParts;
}

/** They look at the policy in force, and at the one on trial. */
const JOBS_OF_POLICIES = ["feeds", "packs"] as const;

export async function openJudgement(parts: JudgementParts): Promise<Judgement> {
  const { config, store, clock, random, log, replica } = parts;
  const retentionSeconds = config.retention / 1_000;
  const policies = await openPolicies({ store, clock, log, retentionSeconds });
  const fileInForce = () => policies.current().file;
  const guardrails = () => guardrailsOf(fileInForce());
  const abuseipdb = abuseIpdbAccessOf(config);
  const definitionsOf = ({ feeds }: PolicyFile) => feedDefinitionsOf({ feeds, abuseipdb });
  const definitions = () => {
    const tried = policies.trial();
    return feedsToFetch(definitionsOf(fileInForce()), tried === undefined ? [] : definitionsOf(tried));
  };
  await defineFeeds(store, definitions());
  const runId = `${replica} ${Buffer.from(random.bytes(8)).toString("hex")}`;
  return {
    policies,
    over(ledger, jobs) {
      const feeds: FeedsParts = {
        ...{ store, ledger, clock, random, log, definitions, runId },
        download: downloadOverHttp,
        readFile: readFeedFile,
        judge: createFeedJudge(guardrails),
        brake: (wish) => brakeList({ store, guardrails, log }, wish),
        limits: FETCH_LIMITS,
        programVersion: VERSION,
      };
      const packs: PacksParts = {
        ...{ store, ledger, log },
        readPacks: () => readPacks(config.packs_dir, (error) => log.error("guardrails.pack_bad", { error })),
        chosen: () => fileInForce().packs,
      };
      const life: LifeParts = {
        ...{ store, ledger, clock, log, policies, retentionSeconds, definitionsOf, runId },
        readPacks: packs.readPacks,
        onMoved: async () => {
          for (const job of JOBS_OF_POLICIES) {
            await jobs.runNow(job).catch((error: unknown) => log.warn("coordinator.job_not_woken", { job, error }));
          }
        },
      };
      return { feeds, packs, policies: life };
    },
  };
}
