/** A message made of news: one subject, one text for people, and the same for programs. Pure. */
import { utcTime } from "@fleetban/kit/cli-output";
import type { News } from "./news.ts";
import type { NewsTopic } from "./notification-table.ts";

export interface Message {
  readonly subject: string;
  readonly text: string;
  /** How many news of each topic; `news` holds the first of them. */
  readonly counts: Readonly<Partial<Record<NewsTopic, number>>>;
  readonly news: readonly News[];
}

/** Of each topic; the rest is a number and a command. */
const SHOWN = 20;
const LINE_MAX = 300;
const SECTIONS: readonly (readonly [NewsTopic, (count: number) => string, see: string])[] = [
  ["holds", (count) => `${count} ${count === 1 ? "hold waits" : "holds wait"} for an operator`, "fleetban holds list"],
  [
    "agents",
    (count) => `${count} ${count === 1 ? "agent has" : "agents have"} gone or come back`,
    "fleetban agents list",
  ],
  [
    "repeat_offenders",
    (count) => `${count} new repeat ${count === 1 ? "offender" : "offenders"}`,
    "fleetban explain ADDRESS",
  ],
  [
    "first_listings",
    (count) => `${count} ${count === 1 ? "address" : "addresses"} listed for the first time`,
    "fleetban explain ADDRESS",
  ],
];

export function messageOf(news: readonly News[]): Message {
  const byTopic = Map.groupBy(news, ({ topic }) => topic);
  const sections = SECTIONS.flatMap(([topic, title, see]) => {
    const items = (byTopic.get(topic) ?? []).toSorted(byWeight);
    return items.length === 0 ? [] : [{ topic, items, title: title(items.length), see }];
  });
  const paragraphs = sections.map(({ items, title, see }) => {
    const lines = items.slice(0, SHOWN).map((item) => `  ${lineOf(item)}`);
    const more = items.length > SHOWN ? [`  … and ${items.length - SHOWN} more`] : [];
    return [`${title}:`, ...lines, ...more, `  see: ${see}`].join("\n");
  });
  return {
    subject: `fleetban: ${sections.map(({ title }) => title).join(", ")}`,
    text: `${paragraphs.join("\n\n")}\n`,
    counts: Object.fromEntries(sections.map(({ topic, items }) => [topic, items.length])),
    news: sections.flatMap(({ items }) => items.slice(0, SHOWN)),
  };
}

/** What `notifications test` sends. */
export function testMessage(channel: string, replica: string): Message {
  return {
    subject: "fleetban: a test",
    text: `This is a test of channel ${channel}, sent by coordinator ${replica}. News will look like this.\n`,
    counts: {},
    news: [],
  };
}

/** What most servers saw comes first. */
function byWeight(one: News, other: News): number {
  return weightOf(other) - weightOf(one);
}

function weightOf(news: News): number {
  return "prefix" in news ? news.agents * 1_000_000 + news.strikes * 10_000 + Math.min(news.failures, 9_999) : 0;
}

function lineOf(news: News): string {
  return plainLine(textOf(news)).slice(0, LINE_MAX);
}

function textOf(news: News): string {
  switch (news.topic) {
    case "holds":
      return `hold ${news.holdNo}, ${news.subject}: ${news.reason}`;
    case "agents":
      return news.state === "gone"
        ? `${news.agent} is gone, last seen ${utcTime(news.seenMs)} UTC; its kernel keeps what it had`
        : `${news.agent} is back`;
    case "first_listings":
    case "repeat_offenders": {
      const until = news.untilMs === 0 ? "until an operator ends it" : `until ${utcTime(news.untilMs)} UTC`;
      const times = news.strikes > 1 ? `, ${news.strikes} times` : "";
      const by = `${news.failures} failures on ${news.agents} ${news.agents === 1 ? "server" : "servers"}`;
      return `${news.prefix} on ${news.list} ${until}${times}: ${news.jails.join(", ") || "no jail"}, ${by}`;
    }
  }
}

/** A jail's name comes from far away. */
function plainLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
}
