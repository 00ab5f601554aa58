import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { startNotifications } from "../notifications/notifications.fixture.ts";
import { startReports } from "../reports/reports.fixture.ts";
import { showReportGauges } from "./outgoing-gauges.ts";
import { outgoingWarnings } from "./outgoing-warnings.ts";

test("reporting complains of a missing key, a refused one and of failures in a row, and not while it is off", async (t) => {
  const { store, parts, setPolicy } = await startReports(t);
  const codes = async (reports = parts) => {
    return (await outgoingWarnings({ store, reports, notifications: { channels: [] } })).map(({ code }) => code);
  };
  assert.deepEqual(await codes(), []);
  assert.deepEqual(await codes({ ...parts, api: undefined }), ["reports-without-key"]);
  await store.sql`update report_quotas set failures = 1, problem = 'status 401: no' where endpoint = 'report'`;
  assert.deepEqual(await codes(), ["reports-unauthorized"]);
  await store.sql`update report_quotas set failures = 2, problem = 'not reached' where endpoint = 'report'`;
  assert.deepEqual(await codes(), []);
  await store.sql`update report_quotas set failures = 3 where endpoint = 'report'`;
  assert.deepEqual(await codes(), ["reports-failing"]);
  setPolicy({ mode: "off" });
  assert.deepEqual(await codes(), []);
});

test("a channel that takes nothing is named", async (t) => {
  const { store, parts, webhook, agent, sight, notify } = await startNotifications(t);
  webhook.answer(404);
  await sight(await agent("one"), "5.6.7.8");
  await notify();
  const reports = { policy: () => ({ mode: "off" }) as never, api: undefined };
  const warnings = await outgoingWarnings({ store, reports, notifications: parts });
  assert.deepEqual(warnings, [{ code: "notifications-failing", subject: "hook" }]);
});

test("metrics tell reports by state, and what the quotas leave", async (t) => {
  const reports = await startReports(t);
  await reports.sight(await reports.agent("one"), "5.6.7.8");
  await reports.report();
  const registry = new Registry();
  showReportGauges(registry, reports.parts);
  const lines = (await registry.metrics()).split("\n");
  for (const line of [
    'reports{state="sent"} 1',
    'reports{state="planned"} 0',
    'report_calls_left{endpoint="report"} 799',
    'report_calls_left{endpoint="bulk-report"} 4',
  ]) {
    assert.ok(lines.includes(`fleetban_coordinator_${line}`), line);
  }
});
