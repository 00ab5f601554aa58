/** How a feed is fetched from the outside: one bounded GET, whose every failure is a DownloadError with a code. */
import { FleetbanError } from "@fleetban/kit/errors";

export interface DownloadRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of the body as sent and as unpacked; neither may be longer. */
  readonly maxBytes: number;
  /** For all of it, from the first packet to the last byte. */
  readonly deadlineMs: number;
  /** Without a single byte. */
  readonly idleMs: number;
}

export interface Downloaded {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** Follows no redirect: a feed has one address, and its key goes nowhere else. */
export type Download = (request: DownloadRequest, signal: AbortSignal) => Promise<Downloaded>;

export type DownloadErrorCode =
  | "download-timed-out"
  | "download-too-large"
  | "download-cut-short"
  | "download-bad-encoding"
  | "download-failed";

export class DownloadError extends FleetbanError {
  declare readonly code: DownloadErrorCode;

  constructor(code: DownloadErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
  }
}
