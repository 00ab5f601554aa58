/**
 * `npm run demo`: a whole fleet on this machine, in network namespaces: an attack, a ban on one server, and how the others
 * drop the attacker; AbuseIPDB's list arriving; an operator's unban that sticks. About half a minute; root on Linux.
 *
 * Whatever ends it (the last act, a step that fails, Ctrl-C, a reader like `head` that goes, its deadline), everything it made is taken down before it ends.
 */
import { createScreen } from "./demo/screen.ts";
import { buildStage } from "./demo/stage.ts";
import { tellStory } from "./demo/story.ts";
import { FLEET_PROGRAMS, preparePrograms } from "./test/programs.ts";

const DEADLINE_MS = 480_000; // done in half a minute on a machine that is not busy
const USES = ["ipset", "iptables", "ip", "fail2ban-server", "sshd", "ssh", "sshpass"];
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const EXIT_NO_READER = 141; // as if SIGPIPE had ended it

process.exit(await main()); // what was going on when it was interrupted is not waited for: its processes are gone

async function main(): Promise<number> {
  const [argument] = process.argv.slice(2);
  if (argument !== undefined) return complain(`${argument}: the demo takes no arguments; write npm run demo`, 2);
  const problem = await problemOfMachine();
  if (problem !== undefined) return complain(problem, 1);
  const begunMs = performance.now();
  const undo = new AsyncDisposableStack();
  const ending = await Promise.race([perform(undo).then(() => undefined, failureOf), interruption()]);
  await undo.disposeAsync();
  if (ending !== undefined) return complain(ending.message, ending.exitCode);
  console.log(`\ndone in ${((performance.now() - begunMs) / 1_000).toFixed(0)} s; everything is taken down again`);
  return 0;
}

async function problemOfMachine(): Promise<string | undefined> {
  if (process.platform !== "linux") return "the demo needs Linux: it runs in its network namespaces";
  if (process.getuid?.() !== 0) return "the demo needs root, for network namespaces and kernel sets: sudo npm run demo";
  const { failures } = await preparePrograms(
    FLEET_PROGRAMS.filter(({ program }) => USES.includes(program)),
    true,
  );
  return failures[0]?.text;
}

async function perform(undo: AsyncDisposableStack): Promise<void> {
  const screen = createScreen((line) => console.log(line), Date.now);
  screen.title(
    "A coordinator, three servers with sshd, fail2ban and an agent each, and an attacker, in network namespaces:",
  );
  screen.title("real packets, real bans, real kernel sets; nothing of this machine's own network is touched.\n");
  const stage = await buildStage(undo);
  await tellStory(stage, screen);
}

interface Ending {
  readonly message: string;
  readonly exitCode: number;
}

function failureOf(error: unknown): Ending {
  const { message, cause } = error instanceof Error ? error : { message: String(error), cause: undefined };
  return { message: cause instanceof Error ? `${message}: ${cause.message}` : message, exitCode: 1 };
}

function interruption(): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => resolve({ message: "interrupted; everything is taken down again", exitCode }));
  }
  process.stdout.on("error", () => resolve({ message: "nobody reads on; interrupted", exitCode: EXIT_NO_READER }));
  setTimeout(resolve, DEADLINE_MS, { message: `not done after ${DEADLINE_MS / 1_000} s`, exitCode: 1 }).unref();
  return promise;
}

function complain(message: string, exitCode: number): number {
  console.error(`fleetban: error: ${message}`);
  return exitCode;
}
