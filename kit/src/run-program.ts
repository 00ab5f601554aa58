/** Runs one program to its end and gives what it printed; it never hangs longer than its deadline. */
import type { Clock } from "./clock.ts";
import type { ProgramEnd, RunningProgram, Spawn } from "./spawn.ts";

export interface ProgramRun {
  readonly end: ProgramEnd;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunProgramParts {
  readonly spawn: Spawn;
  readonly clock: Pick<Clock, "timer">;
}

export interface RunProgramOptions {
  /** For its standard input. */
  readonly input?: string;
  /** After it the program is killed. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 30_000;

export async function runProgram(
  { spawn, clock }: RunProgramParts,
  command: readonly [program: string, ...args: string[]],
  { input = "", deadlineMs = DEADLINE_MS }: RunProgramOptions = {},
): Promise<ProgramRun> {
  const [program, ...args] = command;
  const running = spawn(program, args, "read");
  const deadline = clock.timer(deadlineMs, () => running.kill());
  try {
    const [, stdout, stderr, end] = await Promise.all([
      give(running, input),
      textOf(running.stdout),
      textOf(running.stderr),
      running.ended,
    ]);
    return { end, stdout, stderr };
  } finally {
    deadline.cancel();
  }
}

async function give(running: RunningProgram, input: string): Promise<void> {
  if (input !== "") await running.write(input);
  running.endInput();
}

async function textOf(chunks: AsyncIterable<string>): Promise<string> {
  const texts: string[] = [];
  for await (const chunk of chunks) texts.push(chunk);
  return texts.join("");
}
