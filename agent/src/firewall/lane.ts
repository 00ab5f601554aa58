/** Urgent: fresh bans, pardons, what is exempt. Bulk: feeds, snapshots, extensions (invariant 7). */

export type Lane = "urgent" | "bulk";
