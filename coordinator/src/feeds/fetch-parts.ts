/** What a fetch is given: how to reach out, the ledger's clock, and its bounds. */
import type { Turns } from "@fleetban/kit/turns";
import type { UnixMs } from "@fleetban/proto/model/time";
import type { Download } from "./download.ts";

export interface FetchLimits {
  readonly deadlineMs: number;
  readonly idleMs: number;
}

export interface FetchParts {
  readonly download: Download;
  readonly readFile: ReadFeedFile;
  /** Of the ledger. */
  readonly nowMs: () => UnixMs;
  readonly limits: FetchLimits;
  /** Of this program, for the User-Agent. */
  readonly programVersion: string;
  /** For reading a long list beside other work. */
  readonly turns: () => Turns | undefined;
}

export interface FeedFile {
  readonly bytes: Uint8Array;
  readonly changedAtMs: number;
}

/** Throws a DownloadError. */
export type ReadFeedFile = (path: string, maxBytes: number) => Promise<FeedFile>;

/** Publishers want to know who asks. */
export function userAgent({ programVersion }: Pick<FetchParts, "programVersion">): string {
  return `fleetban/${programVersion} (blocklist of a server fleet)`;
}
