/** Who asks: an operator at the machine itself, by the unix socket, or one with an operator's certificate. */
export interface Caller {
  /** For the audit log. */
  readonly name: string;
  readonly role: "socket" | "certificate";
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
}
