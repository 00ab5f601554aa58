/** `fleetban notifications`: what operators are told, and whether it gets there. */

import { humanMoment, plain, renderTable } from "@fleetban/kit/cli-output";
import type { Notification, NotificationChannel } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { CliError } from "../cli-error.ts";
import { example, type Run } from "../run.ts";

const TEST_WITHIN_MS = 180_000; // a mail server may take its time, one after the other

export function addNotifications(program: Command, run: Run): void {
  const notifications = program
    .command("notifications")
    .alias("notification")
    .description("messages to operators, by mail and webhook");

  notifications
    .command("list")
    .description("the channels, and the newest messages")
    .option("--limit <count>", "at most so many", wholeNumber, 20)
    .action(
      run(async (cli, { limit }: { limit: number }) => {
        const answer = await cli.calls.call((admin) => admin.listNotifications, { limit });
        cli.show(
          answer,
          () => `${channelsTable(answer.channels)}\n\n${messagesTable(answer.notifications, cli.nowMs)}`,
        );
        for (const name of answer.unknownChannels) {
          cli.note(`the policy sends news to ${plain(name)}, which is not configured in coordinator.yaml`);
        }
      }),
    )
    .addHelpText("after", example("notifications list", "notifications list --json"));

  notifications
    .command("test")
    .description("send a test message now, and say what came of it; fails when one does not arrive")
    .argument("[channel]", "mail, or a webhook's name; by default all", "")
    .action(
      run(async (cli, channel: string) => {
        const { tested } = await cli.calls.call(
          (admin) => admin.testNotifications,
          { channel },
          { withinMs: TEST_WITHIN_MS },
        );
        cli.show(tested, () =>
          tested
            .map(({ channel: name, target, sent, note }) => {
              const outcome = sent ? "sent" : "not sent";
              return `${name} (${plain(target)}): ${note === "" ? outcome : `${outcome}, ${plain(note)}`}`;
            })
            .join("\n"),
        );
        const failed = tested.filter(({ sent }) => !sent).map(({ channel: name }) => name);
        if (failed.length > 0) {
          throw new CliError("not-sent", `${failed.join(", ")}: did not take the test message`, {
            hint: "look at notifications in coordinator.yaml, then restart the coordinator",
          });
        }
      }),
    )
    .addHelpText("after", example("notifications test", "notifications test mail"));
}

function channelsTable(channels: readonly NotificationChannel[]): string {
  return renderTable(
    [{ title: "channel" }, { title: "to" }, { title: "gets" }, { title: "waiting", align: "right" }],
    channels.map(({ name, target, topics, waiting }) => [name, target, topics.join(", "), waiting]),
    "no channel is configured; see notifications.mail and notifications.webhooks in coordinator.yaml",
  );
}

function messagesTable(notifications: readonly Notification[], nowMs: number): string {
  return renderTable(
    [
      { title: "number", align: "right" },
      { title: "channel" },
      { title: "state" },
      { title: "made" },
      { title: "sent" },
      { title: "attempts", align: "right" },
      { title: "subject" },
      { title: "problem" },
    ],
    notifications.map((one) => [
      one.notificationNo,
      one.channel,
      one.state,
      humanMoment(one.plannedAtMs, nowMs),
      one.state === "sent" ? humanMoment(one.sentAtMs, nowMs) : undefined,
      one.attempts,
      one.subject,
      one.problem,
    ]),
    "no message was made yet",
  );
}
