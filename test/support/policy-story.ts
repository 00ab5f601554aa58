/**
 * The worked story of docs/policy.md, as it happens: a bad feed is observed, planned, tried on one group, and goes back by
 * itself when somebody turns out to work from an address that it names. Real programs, a real login, in namespaces.
 *
 * Gives the page's part as text: what was written and typed, and what it answered.
 */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./fleet/eventually.ts";
import type { Host } from "./fleet/host.ts";
import { openFleet, serverAddress } from "./fleet/open-fleet.ts";
import { startServer } from "./fleet/server.ts";

const PUBLISHER = "20.40.0.50";
const OFFICE = "45.83.64.10";
const PARTNER = "91.189.91.7";
/** The publisher means a range of attackers, and its list holds the office's network, too. */
const NAMED = ["45.83.64.0/24", ...Array.from({ length: 30 }, (_, at) => `91.189.91.${at + 1}`)];
const SERVER = `require("node:http").createServer((_, answer) => {
  answer.setHeader("content-type", "text/plain");
  answer.end(${JSON.stringify(`# attackers\n${NAMED.join("\n")}\n`)});
}).listen(8080, "0.0.0.0", () => console.log("listening"));`;

const policyWith = (mode: string) => `groups:
  edge: { lists: [fleet, feeds] }
feeds:
  attackers:
    url: http://${PUBLISHER}:8080/list.txt
    mode: ${mode}
`;

export async function tellPolicyStory(): Promise<string> {
  await using fleet = await openFleet();
  const { coordinator, network, dir } = fleet;
  const told: string[] = [];
  const say = (text: string) => void told.push(text);
  const file = join(dir, "policy.yaml");

  async function write(mode: string): Promise<void> {
    await writeFile(file, policyWith(mode));
    say(`\`\`\`yaml\n# policy.yaml\n${policyWith(mode)}\`\`\``);
  }

  /** What was typed, and what people see. */
  async function type(...commands: readonly (readonly string[])[]): Promise<void> {
    const screens: string[] = [];
    for (const words of commands) {
      const answer = await coordinator.cliText(words.map((word) => (word === "policy.yaml" ? file : word)));
      const typed = words.map((word) => (/^[\w./:-]+$/.test(word) ? word : `'${word}'`)).join(" ");
      screens.push(`$ fleetban ${typed}\n${answer.trimEnd().replaceAll(file, "policy.yaml")}`);
    }
    say(`\`\`\`console\n${screens.join("\n\n")}\n\`\`\``);
  }

  say(`A group \`edge\` of servers shall try what is new before all others have it, and a new feed is to be looked at: in mode
\`observe\` it is fetched and counted, and nothing is listed for it.`);
  await write("observe");
  await type(
    ["policy", "check", "policy.yaml"],
    ["policy", "apply", "policy.yaml", "--reason", "a new feed, to be looked at"],
  );

  const publisher = await network.host("publisher", [PUBLISHER]);
  const served = publisher.spawn(process.execPath, ["-e", SERVER], { stdio: ["ignore", "pipe", "inherit"] });
  await once(served.stdout as NodeJS.ReadableStream, "data");
  const office = await network.host("office", [OFFICE]);
  const ofGroup = (group: string) => ({
    ...coordinator,
    enrollToken: async () =>
      (await coordinator.cli<{ token: string }>(["enrollments", "create", "--group", group])).token,
  });
  const sshdLog = join(dir, "one", "sshd", "auth.log");
  const place = { name: "one", address: serverAddress(1) };
  const server = await startServer(network, ofGroup("edge"), dir, place, { agentConfig: { sshd_log: sshdLog } });
  const other = await fleet.agent(2);
  await other.start();
  await coordinator.cli(["allow", PARTNER, "--reason", "a partner"]);
  await eventually("the feed is fetched", async () => {
    const { outcome } = await coordinator.cli<{ outcome: string }>(["feeds", "fetch", "attackers"]);
    return outcome !== "busy" && !outcome.startsWith("unavailable");
  });

  say("The feed's list is there, and nobody is listed for it:");
  await type(["feeds", "list"], ["listings", "list", "--list", "feeds"]);

  say(`It looks well: what would it list? The file says \`enforce\` now, and the plan says what that would change. One of the
addresses is allowed, a partner's: it would not be listed, whatever the feed says.`);
  await write("enforce");
  await type(["policy", "plan", "policy.yaml", "--limit", "4"]);

  say(`Nobody looks at every line of such a list. So it is tried on the group first: what it would add goes to a list of its
own, \`trial\`, that only agents of \`edge\` are given.`);
  await logIn(office, server.sshKey);
  await eventually("the login is seen", async () => (await server.agent.status()).protectedSessions === 1);
  const trial = ["--canary", "edge", "--for", "1h", "--reason", "observed for a week", "--limit", "2"];
  const isTried = async () => (await server.kernelSet("fleetban-trial-v4")).size === NAMED.length - 1;
  // It is over a few seconds later, on a busy machine perhaps before the command has ended.
  await Promise.all([
    eventually("the trial in the kernel", isTried),
    type(["policy", "apply", "policy.yaml", ...trial]),
  ]);
  const lists = (await other.status()).lists.map(({ name }) => name);
  if (lists.includes("trial")) throw new Error("the other group was given the trial's list");

  say(`On the server \`one\` of that group somebody is logged in from ${OFFICE}, the office, and the feed names the office's
network. The agent keeps the session alive (it protects who is logged in), and says what it sees. The coordinator takes
that for an alarm: a few seconds later the trial is over, and the list is taken off the group.`);
  await eventually("the alarm", async () => {
    const [newest] = await coordinator.cli<{ state: string }[]>(["policy", "history"]);
    return newest?.state === "rolled-back";
  });
  await eventually(
    "the set is gone",
    async () => (await server.kernelSet("fleetban-trial-v4").catch(() => new Set())).size === 0,
  );
  await type(["policy", "history"], ["explain", OFFICE], ["listings", "list", "--list", "trial"]);

  say(`What the first policy said holds again: the feed is observed. The servers of all other groups never saw its list. All of
it is in the audit log:`);
  await type(["audit", "list", "--limit", "6"]);
  return `${told.join("\n\n")}\n`;
}

/** A session that stays. */
async function logIn(from: Host, key: string): Promise<void> {
  const asked = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
  const options = asked.flatMap((option) => ["-o", option]);
  const words = [...options, "-i", key, `root@${serverAddress(1)}`, "echo in; sleep 600"];
  const child = from.spawn("ssh", words, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout as NodeJS.ReadableStream, "data", { signal: AbortSignal.timeout(60_000) });
}
