/** What can be told, as the database keeps it and messages tell it. */
import type { NewsTopic } from "./notification-table.ts";

/** Times are Unix milliseconds; until 0 = open-ended. */
export type News =
  | {
      readonly topic: "first_listings" | "repeat_offenders";
      readonly prefix: string;
      readonly list: string;
      readonly untilMs: number;
      readonly jails: readonly string[];
      readonly agents: number;
      readonly failures: number;
      /** Times that it got listed. */
      readonly strikes: number;
    }
  | { readonly topic: "holds"; readonly holdNo: number; readonly subject: string; readonly reason: string }
  | { readonly topic: "agents"; readonly agent: string; readonly state: "gone" | "back"; readonly seenMs: number };

/** With what it is about: the same key is never told twice. */
export interface KeyedNews {
  readonly key: string;
  readonly news: News;
}

export interface StoredNews {
  readonly newsNo: number;
  readonly topic: NewsTopic;
  readonly foundAtMs: number;
  readonly news: News;
}
