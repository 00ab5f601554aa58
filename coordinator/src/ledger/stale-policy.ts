/** Thrown inside a commit whose process has not heard yet that another policy is in force: ask, and try again. */
export const STALE_POLICY = new Error("another policy is in force");
