/**
 * The long-lived `ipset -`: lines in, complaints out, one process for everything.
 *
 * It applies each line at once and goes on after errors, but says nothing of success and numbers no line. So behind
 * what is to be known stands a *fence*: a line that must fail with words of our own (`create x hash:fence-7`, refused
 * before it reaches the kernel). What was complained of before the fence's own complaint belongs to the lines before it.
 * A child that died is started anew and the lines are given to it once more: each of them may be repeated.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { ProgramEnd, RunningProgram, Spawn } from "@fleetban/kit/spawn";
import { BackendError, remedyFor } from "../backend-error.ts";

export interface Coprocess {
  /** Complaints of all lines together, "" = none. */
  runTogether(lines: readonly string[]): Promise<string>;
  /** The complaint of each line. */
  runEach(lines: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface CoprocessParts {
  readonly spawn: Spawn;
  readonly clock: Pick<Clock, "timer">;
}

/** 500 lines take 10 ms; on a machine at a twentieth of its speed 0.2 s. */
const DEADLINE_MS = 20_000;

/** What a child says between two fences. */
interface Child {
  readonly running: RunningProgram;
  /** Resolves with one complaint a fence; rejects with how the child ended. */
  ask(text: string, fences: number): Promise<readonly string[]>;
}

export function createCoprocess(parts: CoprocessParts): Coprocess {
  let child: Child | undefined;
  let fence = 0;
  let last: Promise<unknown> = Promise.resolve();

  async function give(groups: readonly (readonly string[])[]): Promise<readonly string[]> {
    const text = groups.map((lines) => `${lines.join("\n")}\n${fenceLine(++fence)}\n`).join("");
    for (let attempt = 1; ; attempt += 1) {
      child ??= startChild(parts);
      try {
        return await child.ask(text, groups.length);
      } catch (error) {
        child = undefined;
        if (attempt === 2) throw error;
      }
    }
  }
  /** One after another: complaints carry no number. */
  function inTurn(groups: readonly (readonly string[])[]): Promise<readonly string[]> {
    const turn = last.then(() => give(groups));
    last = turn.catch(() => undefined); // the caller has it
    return turn;
  }
  return {
    runTogether: async (lines) => (await inTurn([lines])).join(""),
    runEach: (lines) => inTurn(lines.map((line) => [line])),
    async close() {
      await last;
      if (child === undefined) return;
      const { running } = child;
      const deadline = parts.clock.timer(DEADLINE_MS, () => running.kill());
      running.endInput();
      await running.ended;
      deadline.cancel();
    },
  };
}

function fenceLine(number: number): string {
  return `create fleetban-fence hash:fence-${number}`;
}

const FENCE = /hash:fence-\d+/;

function startChild({ spawn, clock }: CoprocessParts): Child {
  const running = spawn("ipset", ["-"], "discard");
  let end: ProgramEnd | undefined;
  // Of the question that is open: one at a time, so that nothing gathers on a child that lives for months.
  let heard: (line: string) => void = () => undefined;
  let failed: (error: BackendError) => void = () => undefined;
  void listen(running.stderr, (line) => heard(line)); // ends with the child
  void running.ended.then((how) => {
    end = how;
    failed(childEnded(how));
  });

  async function ask(text: string, fences: number): Promise<readonly string[]> {
    if (end !== undefined) throw childEnded(end);
    const deadline = clock.timer(DEADLINE_MS, () => running.kill());
    try {
      const answered = new Promise<readonly string[]>((resolve, reject) => {
        heard = complaintsBetweenFences(fences, resolve);
        failed = reject;
      });
      const [complaints] = await Promise.all([answered, running.write(text)]);
      return complaints;
    } finally {
      deadline.cancel();
    }
  }
  return { running, ask };
}

/** Takes lines until the last fence has complained, then gives what was said before each. */
function complaintsBetweenFences(
  fences: number,
  done: (complaints: readonly string[]) => void,
): (line: string) => void {
  const complaints: string[] = [];
  let said: string[] = [];
  return (line) => {
    if (!FENCE.test(line)) return void said.push(withoutProgramName(line));
    complaints.push(said.join("; "));
    said = [];
    if (complaints.length === fences) done(complaints);
  };
}

async function listen(chunks: AsyncIterable<string>, heard: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) heard(line);
  }
}

function childEnded(end: ProgramEnd): BackendError {
  if (end.kind === "not-started") {
    return new BackendError("ipset-failed", `program ipset: can't be started (${end.code})`, remedyFor("ipset-failed"));
  }
  const how = end.kind === "exited" ? `ended with exit code ${end.code}` : `was ended by ${end.signal}`;
  return new BackendError("ipset-failed", `program ipset: ${how} before it had answered`);
}

/** `ipset v7.17: Hash is full` → `Hash is full`. */
function withoutProgramName(line: string): string {
  return line.replace(/^ipset v\S+: /, "");
}
