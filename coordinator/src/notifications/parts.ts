/** What this room's functions are given. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Ledger } from "../ledger/ledger.ts";
import type { Exchange } from "../reports/exchange.ts";
import type { Store } from "../store/store.ts";
import type { Channel, Delivery, MailChannel } from "./channel.ts";
import type { Mail } from "./mail.ts";
import type { NotificationPolicySource } from "./notification-table.ts";

export type SendMail = (channel: MailChannel, mail: Mail, signal: AbortSignal) => Promise<Delivery>;

export interface NotificationsParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "ledgerTimeMs">;
  readonly exchange: Exchange;
  readonly sendMail: SendMail;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly policy: NotificationPolicySource;
  /** With so many strikes an offender is a repeat offender. */
  readonly repeatStrikes: () => number;
  readonly channels: readonly Channel[];
  /** Connected to this replica now. */
  readonly isOnline: (agentNo: number) => boolean;
  readonly replica: string;
  readonly programVersion: string;
  /** Monotonic; before it nobody can be gone. */
  readonly startedMs: number;
  readonly observe: (channel: string, outcome: Delivery["kind"]) => void;
}
