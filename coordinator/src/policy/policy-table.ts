/**
 * The schema of the policy file: every section's table, joined. The handbook's page and the JSON Schema are made from it.
 *
 * A section that belongs to another room is that room's `*-table.ts`, spread in here.
 */
import type { ConfigOf, ConfigTable } from "@fleetban/kit/config";
import { FEED_TABLE } from "../feeds/feed-table.ts";
import { GUARDRAIL_TABLE } from "../guardrails/guardrail-table.ts";
import { NOTIFICATION_TABLE } from "../notifications/notification-table.ts";
import { REPORT_TABLE } from "../reports/report-table.ts";
import { JUDGEMENT_TABLE } from "./judgement-table.ts";

export const POLICY_TABLE = {
  ...JUDGEMENT_TABLE,
  ...FEED_TABLE,
  ...GUARDRAIL_TABLE,
  ...REPORT_TABLE,
  ...NOTIFICATION_TABLE,
} as const satisfies ConfigTable;

/** The whole file, by key path, with every default filled in. */
export type PolicyFile = ConfigOf<typeof POLICY_TABLE>;
