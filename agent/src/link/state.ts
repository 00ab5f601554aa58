/** What the link is doing, for status, readiness and metrics; and how a session can end. */
import { FleetbanError } from "@fleetban/kit/errors";

export type LinkState =
  | { readonly kind: "connecting"; readonly address: string; readonly attempt: number }
  | { readonly kind: "online"; readonly address: string; readonly sinceMs: number; readonly agentId: string }
  | {
      readonly kind: "waiting";
      readonly retryAtMs: number;
      readonly attempt: number;
      readonly code: string;
      readonly cause: string;
    }
  | { readonly kind: "stopped" };

export type SessionEnd =
  /** The coordinator said why, when and where to come back. */
  | {
      readonly kind: "goodbye";
      readonly reason: string;
      readonly retryAfterMs: number;
      readonly addresses: readonly string[];
    }
  /** The mirror differed: come back at once without a position for that list. */
  | { readonly kind: "resync"; readonly list: number }
  | { readonly kind: "lost"; readonly cause: unknown };

/** Codes: `coordinator-unreachable`, `certificate-refused`, `protocol`, `stream-lost`, `no-welcome`, `certificate-ended`. */
export class LinkError extends FleetbanError {}
