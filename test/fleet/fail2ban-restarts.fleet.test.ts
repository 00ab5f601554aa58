/** What fail2ban says again after its end, and what becomes of its log: nothing of it is a second strike, nothing is lost. */
import assert from "node:assert/strict";
import { access, copyFile, rename, truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fail2banMissing } from "../support/fail2ban.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { readToHere, watchFail2ban } from "../support/watched-fail2ban.ts";

const skip = await fail2banMissing();
const V4 = "203.0.113.9";
const V6 = "2001:db8::9";

for (const [name, sources] of [
  ["the action", { handoff: true }],
  ["the log", { log: true, server: true }],
  ["both", { handoff: true, log: true, server: true }],
] as const) {
  for (const end of ["stop", "kill9"] as const) {
    test(`${end === "stop" ? "a stop" : "a kill -9"} and start of fail2ban, heard by ${name}, is no new strike`, {
      skip,
    }, async () => {
      await using watched = await watchFail2ban({ jails: [{ name: "plain" }] });
      const agent = await watched.listen(sources);
      await watched.fail2ban.fail(V4, 3); // is read again from the log after a kill
      await watched.fail2ban.banip("plain", V6);
      await eventually("both are told", async () => (await agent.told()).length === 2);
      await watched.fail2ban[end]();
      const again = await watched.restart();
      await eventually("both are banned again", async () => {
        const banned = await again.client("banned");
        return banned.includes(V4) && banned.includes(V6);
      });
      await readToHere(again, agent, "plain", "203.0.113.10");
      await again.unbanip("plain", V6);
      await eventually("the unban by hand is told", async () => (await agent.told()).length >= 4);
      const texts = [...(await agent.toldTexts())].sort();
      assert.deepEqual(texts, [
        "ban plain 2001:db8::9",
        "ban plain 203.0.113.10",
        "ban plain 203.0.113.9",
        "unban-by-hand plain 2001:db8::9",
      ]);
    });
  }
}

test("a ban that fail2ban has prolonged is restored with its long time, and is not told again", { skip }, async () => {
  const increment = ["bantime.increment = true", "bantime.multipliers = 1 100", "bantime = 4", "bantime.rndtime ="];
  await using watched = await watchFail2ban({ jails: [{ name: "plain", options: increment }] });
  const agent = await watched.listen({ handoff: true });
  await watched.fail2ban.fail(V4, 3);
  await eventually("the first is over", () => agent.local.some((act) => act.kind === "ended"));
  await watched.fail2ban.fail(V4, 3);
  const longest = async () => Math.max(...(await agent.told()).map(({ banSeconds }) => banSeconds));
  await eventually("the second is told with its real length", async () => (await longest()) === 400);
  const before = (await agent.told()).length;
  await watched.fail2ban.stop();
  const again = await watched.restart();
  await readToHere(again, agent, "plain", "203.0.113.10");
  assert.equal((await agent.told()).length, before + 1);
  const restored = agent.local.findLast((act) => act.kind === "banned" && act.how === "restored");
  assert.ok(restored?.kind === "banned" && restored.secondsLeft > 300, "it is in force here again");
});

test("a jail's name with a newline in it, added at run time, comes through whole", { skip }, async () => {
  const jail = "two\nlines";
  await using watched = await watchFail2ban({ jails: [{ name: "plain" }] });
  const agent = await watched.listen({ handoff: true, log: true });
  const { fail2ban } = watched;
  await fail2ban.client("add", jail, "polling");
  const action = ["set", jail, "action", "fleetban"];
  await fail2ban.client("set", jail, "addaction", "fleetban");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
  const read = "v() { v=; while IFS= read -r l; do v=\"$v${v:+\n}$l\"; done; }\nv <<'N'\n<name>\nN\n";
  const record = `printf '%.1000s\\0' FLEETBAN2 ban "$v" "<ip>" "<fid>" "<family>" "<time>" "<bantime>" "<failures>" "<bancount>" "<restored>" "" "" "" END >> "${fail2ban.handoffPath}"`;
  await fail2ban.client(...action, "actionban", `${read}${record}`);
  await fail2ban.client(...action, "name", jail);
  await fail2ban.client("start", jail);
  await fail2ban.banip(jail, V4);
  await eventually("it is told", async () => (await agent.told()).some((one) => one.jail === jail));
  await readToHere(fail2ban, agent, "plain", "203.0.113.10");
  assert.deepEqual([...(await agent.toldTexts())].sort(), ["ban plain 203.0.113.10", `ban ${jail} ${V4}`].sort());
});

test("ports and, if wanted, the lines that led to a ban come with it, and nothing of them is run", {
  skip,
}, async () => {
  const odd = "$(touch PWNED) `touch PWNED` 'q'";
  await using watched = await watchFail2ban({
    jails: [
      { name: "plain" },
      { name: "some", options: ["port = ssh,2222", "protocol = udp"] },
      { name: "lines", options: ["evidence = <matches>"] },
      { name: "odd", options: [`port = ${odd}`] },
    ],
  });
  const agent = await watched.listen({ handoff: true });
  await watched.fail2ban.fail(V4, 3);
  await eventually("all are told", async () => (await agent.told()).length === 4);
  const facts = (await agent.told()).map(({ jail, protocol, ports, evidence }) => {
    return [
      jail,
      protocol,
      ports,
      Buffer.from(evidence)
        .toString()
        .replaceAll(/^.{20}/gm, ""),
    ];
  });
  const line = `failure from ${V4}`;
  assert.deepEqual(facts.sort(), [
    ["lines", "tcp", "", `${line}\n${line}\n${line}`],
    ["odd", "tcp", odd, ""],
    ["plain", "tcp", "", ""],
    ["some", "udp", "ssh,2222", ""],
  ]);
  for (const folder of [".", watched.folder, "/"]) await assert.rejects(access(join(folder, "PWNED")));
});

test("a log that is renamed, or copied and cut, while it is followed tells each ban once", { skip }, async () => {
  await using watched = await watchFail2ban({ jails: [{ name: "plain" }] });
  const agent = await watched.listen({ log: true });
  const { fail2ban } = watched;
  const { logPath } = fail2ban;
  await readToHere(fail2ban, agent, "plain", "203.0.113.1");
  await rename(logPath, `${logPath}.1`); // as logrotate does it
  await fail2ban.banip("plain", "203.0.113.2"); // still into the old file
  await fail2ban.client("flushlogs");
  await readToHere(fail2ban, agent, "plain", "203.0.113.3");
  await copyFile(logPath, `${logPath}.2`); // as logrotate's copytruncate
  await truncate(logPath);
  await readToHere(fail2ban, agent, "plain", "203.0.113.4");
  await truncate(logPath);
  await readToHere(fail2ban, agent, "plain", "203.0.113.5");
  assert.deepEqual(
    await agent.toldTexts(),
    [1, 2, 3, 4, 5].map((last) => `ban plain 203.0.113.${last}`),
  );
});

test("a log that is renamed while no agent runs is read from where it was left", {
  skip,
}, async () => {
  await using watched = await watchFail2ban({ jails: [{ name: "plain" }] });
  const { fail2ban } = watched;
  const { logPath } = fail2ban;
  const first = await watched.listen({ log: true });
  await readToHere(fail2ban, first, "plain", "203.0.113.1");
  await first.stop();
  await fail2ban.banip("plain", "203.0.113.2");
  await rename(logPath, `${logPath}.1`);
  await fail2ban.client("flushlogs");
  await fail2ban.banip("plain", "203.0.113.3");
  const second = await watched.listen({ log: true });
  await readToHere(fail2ban, second, "plain", "203.0.113.4");
  assert.deepEqual(
    await second.toldTexts(),
    [1, 2, 3, 4].map((last) => `ban plain 203.0.113.${last}`),
  );
});

test("a log that is copied and cut while no agent runs is read on in its copy", { skip }, async () => {
  await using watched = await watchFail2ban({ jails: [{ name: "plain" }] });
  const { fail2ban } = watched;
  const { logPath } = fail2ban;
  const first = await watched.listen({ log: true });
  await readToHere(fail2ban, first, "plain", "203.0.113.1");
  await first.stop();
  await fail2ban.banip("plain", "203.0.113.2");
  await copyFile(logPath, `${logPath}.1`);
  await truncate(logPath);
  await fail2ban.banip("plain", "203.0.113.3");
  const second = await watched.listen({ log: true });
  await readToHere(fail2ban, second, "plain", "203.0.113.4");
  assert.deepEqual(
    await second.toldTexts(),
    [1, 2, 3, 4].map((last) => `ban plain 203.0.113.${last}`),
  );
});
