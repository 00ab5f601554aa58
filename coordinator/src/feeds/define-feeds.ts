/** Brings the rows of the feeds to what the policy in force says; each turn, so that a policy applied elsewhere is seen. */
import { createHash } from "node:crypto";
import type { Store } from "../store/store.ts";
import type { FeedDefinition } from "./feed.ts";
import { type KeptSettings, switchOffOthers, upsertFeed } from "./queries.ts";
import { quotaRulesOf } from "./quota.ts";

/**
 * A feed that changed its mode or list is looked at in the next turn; what it may no longer list goes off the list then.
 * Names feeds whose list is not in the ledger (yet): they are off until it is.
 */
export async function defineFeeds(
  store: Pick<Store, "transaction">,
  feeds: readonly FeedDefinition[],
): Promise<readonly string[]> {
  return await store.transaction(async (sql) => {
    const homeless: string[] = [];
    for (const feed of feeds) if (!(await upsertFeed(sql, feed, keptSettings(feed)))) homeless.push(feed.name);
    const placed = feeds.filter(({ name }) => !homeless.includes(name));
    await switchOffOthers(
      sql,
      placed.map(({ name }) => name),
    );
    return homeless;
  });
}

/** By which a body is read: what was read by another definition is read anew. */
export function definitionDigest(feed: FeedDefinition): string {
  const reading = feed.kind === "list" ? feed.settings : { ...feed.abuseipdb, key: "", callsPerDay: 0, callsKept: 0 };
  return digestOf(JSON.stringify([feed.kind, feed.filter, reading]));
}

/** The key itself stays in the configuration; its digest shows when it was changed. */
function keptSettings(feed: FeedDefinition): KeptSettings {
  const { callsPerDay } = quotaRulesOf(feed);
  const kept = { everySeconds: feed.everySeconds, callsPerDay, definition: definitionDigest(feed) };
  if (feed.kind === "abuseipdb") return { ...kept, at: feed.abuseipdb.url, key: digestOf(feed.abuseipdb.key) };
  const { at, format } = feed.settings;
  return { ...kept, at: at.kind === "url" ? at.url : at.path, format };
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
