/** Thrown inside a commit whose memory has the digest key of another epoch than the database: read, and try again. */
export const STALE_EPOCH = new Error("the ledger has begun a new epoch");
