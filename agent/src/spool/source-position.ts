/** How far a source has been read: what is before it is in the spool, what is after it is not. */
export interface SourcePosition {
  /** One position a source is kept, the newest. */
  readonly source: string;
  /** Which file, so that a rotated one is found again; empty where there is none. */
  readonly file: string;
  readonly value: string;
}
