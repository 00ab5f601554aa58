/** The bad states of what goes out: reports to AbuseIPDB, messages to operators. */
import { failingChannels } from "../notifications/notifications-status.ts";
import type { NotificationsParts } from "../notifications/parts.ts";
import type { ReportsParts } from "../reports/parts.ts";
import { type ReportsWarnable, reportsWarnings } from "../reports/reports-status.ts";
import type { Store } from "../store/store.ts";

export type OutgoingWarnable = ReportsWarnable | "reports-without-key" | "notifications-failing";

export interface OutgoingWarning {
  readonly code: OutgoingWarnable;
  /** A channel's name. */
  readonly subject?: string;
}

export interface OutgoingWarningsParts {
  readonly store: Pick<Store, "sql">;
  readonly reports: Pick<ReportsParts, "policy" | "api">;
  readonly notifications: Pick<NotificationsParts, "channels">;
}

/** What is switched off or not configured can't be bad. */
export async function outgoingWarnings(parts: OutgoingWarningsParts): Promise<readonly OutgoingWarning[]> {
  return [...(await ofReports(parts)), ...(await ofNotifications(parts))];
}

async function ofReports({ store, reports }: OutgoingWarningsParts): Promise<readonly OutgoingWarning[]> {
  if (reports.policy().mode === "off") return [];
  if (reports.api === undefined) return [{ code: "reports-without-key" }];
  return (await reportsWarnings(store.sql)).map((code) => ({ code }));
}

async function ofNotifications({ store, notifications }: OutgoingWarningsParts): Promise<readonly OutgoingWarning[]> {
  const names = new Set(notifications.channels.map(({ name }) => name));
  if (names.size === 0) return [];
  const failing = await failingChannels(store.sql);
  return failing.filter((name) => names.has(name)).map((subject) => ({ code: "notifications-failing", subject }));
}
