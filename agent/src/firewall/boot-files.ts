/**
 * Keeps the files that the boot script loads: `base` now and then, `recent` after each batch (invariant 4).
 *
 * A new base never overwrites the old one before it is whole: that one stays as its predecessor, with the `recent` that
 * belongs to it. While it is written, changes go to both. A disk that refuses costs freshness, never the kernel.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import type { AppendFile, Files } from "../mirror/files.ts";
import type { DenyRule, Op } from "./backend.ts";
import type { BootLines } from "./boot-lines.ts";
import { type BootMoment, type BootRules, basePieces, recentHead, recentLine } from "./boot-text.ts";
import type { EntryHook } from "./ipset/rule-text.ts";
import type { KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";

export interface BootFiles {
  /** The kernel has these now. Of a bulk load that a new base is due for anyway nothing is noted. */
  record(ops: Iterable<Op>, lane: Lane): void;
  /** So many entries are about to be added in the bulk lane: a new base may be due for them. */
  expect(entries: number): void;
  /** Sets or rules are others than the base says. */
  due(): void;
  /** Unix milliseconds of the machine's clock; 0 = not in this run. */
  readonly savedAtMs: number;
  /** Writes a base whenever one is due and nothing more important is going on. */
  run(signal: AbortSignal): Promise<never>;
  /** Now; does nothing while there are no rules. */
  save(): Promise<void>;
  flush(): Promise<void>;
}

export interface BootFilesParts {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly sets: () => readonly KernelSet[];
  /** Undefined = not in the kernel yet; then the files of the last run stay. */
  readonly rules: () => readonly DenyRule[] | undefined;
  readonly isIdle: () => boolean;
  /** Undefined: this backend leaves nothing for the boot to load, and nothing of former runs. */
  readonly lines: BootLines | undefined;
  readonly hook: EntryHook;
}

const FOLDER = "boot";
const LOOK_EVERY_MS = 2_000;
const HOUR_MS = 3_600_000; // its timeouts age
const RETRY_MS = 30_000;
const LINES_MIN = 2_000;
const WAITING_MAX_BYTES = 4_194_304;

export function createBootFiles(parts: BootFilesParts): BootFiles {
  const { files, clock, log, sets, isIdle } = parts;
  function rules(): BootRules | undefined {
    const { lines, hook } = parts;
    const wanted = parts.rules();
    return lines === undefined || wanted === undefined ? undefined : { lines, hook, rules: wanted };
  }
  let recents: AppendFile[] = [];
  let last: Promise<void> = Promise.resolve();
  let waitingBytes = 0;
  let lines = 0;
  let isDue = true;
  let isFailing = false;
  let failedAtMs = 0;
  let savedAtMs = 0;
  let savedAtMonotonicMs = Number.NEGATIVE_INFINITY;
  let serial = 0;

  const path = (name: string) => `${FOLDER}/${name}`;

  /** In order; a failure makes a new base due and nothing else. */
  function enqueue(act: () => Promise<void>): Promise<void> {
    last = last.then(act).then(recovered, failed);
    return last;
  }

  function recovered(): void {
    if (isFailing) log.info("firewall.boot_files_recovered");
    isFailing = false;
  }

  function failed(error: unknown): void {
    if (!isFailing) log.warn("firewall.boot_files_unsaved", { error });
    isFailing = true;
    failedAtMs = clock.monotonicMs();
    isDue = true;
  }

  async function openRecent(): Promise<void> {
    if (recents.length > 0 || (await files.read(path("recent"))) === undefined) return;
    const recent = await files.openAppend(path("recent"));
    await recent.append(Buffer.from("\n")); // behind a torn line
    recents = [recent];
  }

  async function append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    for (const recent of recents) await recent.append(bytes);
  }

  async function write(wanted: BootRules): Promise<void> {
    serial += 1;
    const unixSeconds = Math.floor(clock.nowMs() / 1_000);
    const moment: BootMoment = { id: `${clock.nowMs()}-${serial}`, unixSeconds };
    await files.remove(path("recent.new"));
    const next = await files.openAppend(path("recent.new"));
    await next.append(Buffer.from(recentHead(moment)));
    const before = recents;
    recents = [...before, next];
    lines = 0;
    try {
      await files.writeWhole(
        path("base.new"),
        paced(basePieces(moment, sets(), wanted, () => clock.monotonicMs() / 1_000)),
      );
      await renameIfThere("recent", "recent.1");
      await renameIfThere("base", "base.1");
      await files.rename(path("base.new"), path("base"));
      await files.rename(path("recent.new"), path("recent"));
      recents = [next];
    } catch (error) {
      recents = before;
      await next.close();
      throw error;
    }
    for (const old of before) await old.close();
    savedAtMs = clock.nowMs();
    savedAtMonotonicMs = clock.monotonicMs();
  }

  async function* paced(pieces: Iterable<Buffer>): AsyncIterable<Buffer> {
    const turns = createBackgroundTurns(clock);
    for (const piece of pieces) {
      yield piece;
      await drainRecents();
      if (turns.isOver()) await turns.next();
    }
  }

  /** What was applied while the base is being written waits in memory, and goes out here. */
  const held: string[] = [];
  let isWriting = false;
  async function drainRecents(): Promise<void> {
    for (let text = held.shift(); text !== undefined; text = held.shift()) {
      waitingBytes -= text.length;
      await append(text);
    }
  }

  async function renameIfThere(from: string, to: string): Promise<void> {
    if ((await files.names(FOLDER)).includes(from)) await files.rename(path(from), path(to));
  }

  function save(): Promise<void> {
    const wanted = rules();
    if (wanted === undefined) return Promise.resolve();
    isDue = false;
    return enqueue(async () => {
      isWriting = true;
      try {
        await write(wanted);
      } finally {
        isWriting = false;
        await drainRecents();
      }
    });
  }

  function isSaveDue(): boolean {
    if (isFailing && clock.monotonicMs() - failedAtMs < RETRY_MS) return false;
    const isOld = clock.monotonicMs() - savedAtMonotonicMs > HOUR_MS;
    return isDue || isOld || hasManyLines();
  }

  function hasManyLines(): boolean {
    return lines > LINES_MIN && lines > entriesInForce() / 2;
  }

  function entriesInForce(): number {
    return sets().reduce((sum, set) => sum + set.entries.size, 0);
  }

  async function removeAll(): Promise<void> {
    for (const name of await files.names(FOLDER)) await files.remove(path(name));
  }

  void enqueue(parts.lines === undefined ? removeAll : openRecent); // awaited by whatever is asked for next
  return {
    save,
    expect(entries) {
      if (entries > LINES_MIN && entries > entriesInForce()) isDue = true; // noted, they would be half of what there is
    },
    due() {
      isDue = true;
    },
    get savedAtMs() {
      return savedAtMs;
    },
    record(ops, lane) {
      if (parts.lines === undefined) return;
      if (waitingBytes > WAITING_MAX_BYTES || (lane === "bulk" && (isDue || hasManyLines()))) {
        isDue = true; // the next base will have it
        return;
      }
      const unixSeconds = Math.floor(clock.nowMs() / 1_000);
      let text = "";
      for (const op of ops) {
        text += recentLine(op, unixSeconds);
        lines += 1;
      }
      waitingBytes += text.length;
      held.push(text);
      if (!isWriting) void enqueue(drainRecents);
    },
    async run(signal) {
      for (;;) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        if (isIdle() && isSaveDue()) await save();
      }
    },
    async flush() {
      for (let seen: unknown; seen !== last; ) {
        seen = last;
        await last;
      }
    },
  };
}
