/** What it took to enforce one list. */
export interface AppliedList {
  /** From the snapshot's bytes until all of it is in the kernel. */
  readonly tookMs: number;
  readonly cpuMs: number;
  /** A second snapshot, a tenth of it new. */
  readonly refreshMs: number;
  /** The longest time during the refresh in which an address that both list would have been let in. */
  readonly windowMs: number;
  /** How often that was asked. */
  readonly asked: number;
}
