/** What the socket answers, one JSON value a line. Keys may be added, none is taken away. */
import type { LocalResult } from "../seen.ts";

export type SocketAnswer =
  | { readonly ok: false; readonly error: string }
  /** Durable. */
  | { readonly ok: true }
  | BanAnswer
  | CheckAnswer
  | LiftAnswer;

/** To a strict ban or import. */
export interface BanAnswer {
  readonly ok: true;
  /** False = this machine knew that ban. */
  readonly told: boolean;
  /** This machine drops it now; false = the ban is over already. */
  readonly enforced: boolean;
}

export interface CheckAnswer {
  readonly ok: true;
  /** Why a strict ban would be refused; absent = it would not. */
  readonly refused?: string;
}

export interface LiftAnswer {
  readonly ok: true;
  /** What banned it here, as far as the agent knew. */
  readonly jails: readonly string[];
  /** Bans lifted in fail2ban; absent = fail2ban is not asked, or does not answer. */
  readonly fail2ban?: number;
  /** Lists of the fleet that it stands on all the same. */
  readonly listed: readonly string[];
}

export function banAnswer(told: boolean, local: LocalResult | undefined): BanAnswer {
  return { ok: true, told, enforced: local?.kind === "enforced" };
}

export function refused(error: string): SocketAnswer {
  return { ok: false, error };
}

export function lineOf(answer: SocketAnswer): string {
  return `${JSON.stringify(answer)}\n`;
}
