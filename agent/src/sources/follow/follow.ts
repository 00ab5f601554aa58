/**
 * Follows a file that somebody appends to, through renames and truncation, and gives its records on with positions.
 *
 * A change wakes it at once; a look each second finds what a notification missed. The position behind a record is given
 * with it, so that whoever makes the record durable makes the position durable too. A batch that can't be taken is
 * given again until it can; meanwhile nothing more is read, unless the taker acts on it before it is durable.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { SourcePosition } from "../../spool/source-position.ts";
import type { SourceFiles } from "./files.ts";
import type { StartFraming } from "./framing.ts";
import { resumeTails } from "./resume.ts";
import { readChunk, restart, startTail, type Tail, wasCut } from "./tail.ts";
import { createWakeup, type Wakeup } from "./wakeup.ts";

const LOOK_EVERY_MS = 1_000;
/** A writer that opened the file just before it was renamed still writes there. */
const REPLACED_GRACE_MS = 2_000;
/** So many wait for a taker that refuses, or takes its time; the file keeps the rest. */
const WAITING_RECORDS = 2_000;
const RETRY = { baseMs: 100, maxMs: 5_000 };
/** What is being written is waited for, also by who is told to stop. */
const WHOLE = new AbortController().signal;

export interface FollowParts {
  readonly files: SourceFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface FollowedRecord<Record> {
  readonly record: Record;
  readonly position: SourcePosition;
  /** Written no later than (Unix milliseconds). */
  readonly writtenByMs: number;
}

export interface FollowSettings<Record> {
  readonly source: string;
  readonly path: string;
  readonly begin: "start" | "end";
  readonly positions: ReadonlyMap<string, SourcePosition>;
  readonly framing: StartFraming<Record>;
  readonly take: (records: readonly FollowedRecord<Record>[]) => Promise<void>;
  /** `take` acts on what it gets at once, and may be asked again before it has resolved: a slow disk holds nobody up. */
  readonly isTakenAtOnce?: boolean;
  /** Read to here without a record to give. */
  readonly note: (position: SourcePosition) => Promise<void>;
  /** Names that a rotated file may have, oldest first. */
  readonly rotated: () => readonly string[];
  /** For a file that is ours to rotate: renamed when it is larger, removed when it is read. */
  readonly rotation?: { readonly bytes: number; readonly path: string };
  /** Called once, when everything that was there at the start is taken, or can't be read. */
  readonly onCaughtUp?: () => void;
  /** After each look; `undefined` = the file is there and can be read. */
  readonly onLooked?: (problem: string | undefined) => void;
}

/** Runs until `signal` aborts, then rejects with its reason. A file that can't be read is tried again at each look. */
export async function followFile<Record>(
  parts: FollowParts,
  settings: FollowSettings<Record>,
  signal: AbortSignal,
): Promise<never> {
  const wakeup = createWakeup(parts.files, parts.clock, settings.path, LOOK_EVERY_MS);
  const follower: Follower<Record> = { parts, settings, wakeup, tails: [], isStarted: false, refusals: new Set() };
  let isCaughtUp = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const heard = wakeup.begin();
      await lookUnlessRefused(follower, signal);
      if (!isCaughtUp) settings.onCaughtUp?.();
      isCaughtUp = true;
      await wakeup.wait(heard, signal);
    }
  } finally {
    wakeup.close();
    for (const { file } of follower.tails) file.close();
  }
}

interface Follower<Record> {
  readonly parts: FollowParts;
  readonly settings: FollowSettings<Record>;
  readonly wakeup: Wakeup;
  /** Oldest first. */
  readonly tails: Tail<Record>[];
  isStarted: boolean;
  /** What the system refuses is said once until it works again. */
  readonly refusals: Set<string>;
}

async function lookUnlessRefused<Record>(follower: Follower<Record>, signal: AbortSignal): Promise<void> {
  const { parts, settings, refusals } = follower;
  try {
    if (!follower.isStarted) await start(follower);
    await look(follower, signal);
    refusals.delete("read");
    const isThere = follower.tails.some(({ replacedAtMs }) => replacedAtMs === undefined);
    settings.onLooked?.(isThere ? undefined : `${settings.path} is not there`);
  } catch (error) {
    signal.throwIfAborted();
    if (!refusals.has("read")) parts.log.error("sources.read_failed", { path: settings.path, error });
    refusals.add("read");
    settings.onLooked?.((error as Error).message);
  }
}

async function start<Record>(follower: Follower<Record>): Promise<void> {
  const { parts, settings, tails } = follower;
  const names = [positionName(settings.source, true), positionName(settings.source, false)];
  const positions = names.flatMap((name) => settings.positions.get(name) ?? []);
  tails.push(...resumeTails(parts.files, parts.log, { ...settings, positions }));
  for (const tail of tails) if (tail.path !== settings.path) tail.replacedAtMs = parts.clock.monotonicMs();
  follower.isStarted = true;
  const [oldest] = tails;
  if (positions.length === 0 && oldest !== undefined) await settings.note(positionOf(settings, oldest));
}

async function look<Record>(follower: Follower<Record>, signal: AbortSignal): Promise<void> {
  for (const tail of follower.tails) await drain(follower, tail, signal); // before another file takes its position's place
  for (const tail of await followName(follower)) await drain(follower, tail, signal);
  await rotate(follower);
  retire(follower);
}

/** Another file, or none, may have the name by now. Returns what has had it since, oldest first. */
async function followName<Record>(follower: Follower<Record>): Promise<readonly Tail<Record>[]> {
  const { parts, settings, tails } = follower;
  const { files, clock } = parts;
  const present = tails.find((tail) => tail.replacedAtMs === undefined);
  if (present !== undefined && present.file.inode === files.inodeOf(settings.path)) return [];
  if (present !== undefined) {
    present.replacedAtMs = clock.monotonicMs();
    await settings.note(positionOf(settings, present)); // under its other name, before the next file takes this one
  }
  const begun = successorsOf(follower).flatMap((path) => {
    const file = files.open(path);
    return file === undefined ? [] : [startTail(file, path, 0, settings.framing)];
  });
  for (const tail of begun) if (tail.path !== settings.path) tail.replacedAtMs = clock.monotonicMs();
  tails.push(...begun);
  return begun;
}

/** What took the newest tail's place: more than one file when nobody could look for long. */
function successorsOf<Record>({ parts, settings, tails }: Follower<Record>): readonly string[] {
  const names = [...settings.rotated(), settings.path];
  const newest = tails.at(-1);
  const at = names.findLastIndex((name) => newest !== undefined && parts.files.inodeOf(name) === newest.file.inode);
  return at < 0 ? [settings.path] : names.slice(at + 1);
}

async function drain<Record>(follower: Follower<Record>, tail: Tail<Record>, signal: AbortSignal): Promise<void> {
  const { parts, settings } = follower;
  if (wasCut(tail)) {
    parts.log.warn("sources.file_cut", { path: tail.path, offset: tail.offset });
    restart(tail, settings.framing);
  }
  for (;;) {
    signal.throwIfAborted();
    const records = readRecords(follower, tail);
    if (records === undefined) return;
    if (records.length > 0) await give(follower, tail, records, signal);
    tail.settled = Number(records.at(-1)?.position.value ?? tail.settled);
  }
}

/** `undefined` at the end of the file. */
function readRecords<Record>(
  { parts, settings }: Follower<Record>,
  tail: Tail<Record>,
): FollowedRecord<Record>[] | undefined {
  const chunk = readChunk(tail, parts.clock.nowMs());
  return chunk?.records.map(({ record, end }) => {
    const position = { ...positionOf(settings, tail), value: String(end) };
    return { record, writtenByMs: chunk.writtenByMs, position };
  });
}

/**
 * Again and again until it is taken. What is written meanwhile joins it: whoever takes also acts on it at once, and a
 * full disk must not keep a ban from this machine's kernel.
 */
async function give<Record>(
  follower: Follower<Record>,
  tail: Tail<Record>,
  records: FollowedRecord<Record>[],
  signal: AbortSignal,
): Promise<void> {
  const { parts, settings } = follower;
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (attempt > 0 && records.length < WAITING_RECORDS) records.push(...(readRecords(follower, tail) ?? []));
      if (settings.isTakenAtOnce !== true) return await settings.take(records);
      return await takeFollowing(follower, tail, records, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === 0)
        parts.log.error("sources.take_failed", { source: settings.source, records: records.length, error });
      await parts.clock.sleep(backoffMs(attempt, parts.random, RETRY), signal);
    }
  }
}

/** Until all of it is taken, and what a slow disk let gather meanwhile, which joins `records`. */
async function takeFollowing<Record>(
  follower: Follower<Record>,
  tail: Tail<Record>,
  records: FollowedRecord<Record>[],
  signal: AbortSignal,
): Promise<void> {
  const { settings, wakeup } = follower;
  const failures: unknown[] = [];
  let open = 0;

  async function take(some: readonly FollowedRecord<Record>[]): Promise<void> {
    open += 1;
    try {
      await settings.take(some);
    } catch (error) {
      failures.push(error);
    }
    open -= 1;
    wakeup.ring();
  }

  let heard = wakeup.begin();
  void take([...records]); // it never rejects
  while (open > 0) {
    await wakeup.wait(heard, WHOLE);
    heard = wakeup.begin();
    const mayJoin = failures.length === 0 && records.length < WAITING_RECORDS && !signal.aborted && !wasCut(tail);
    const more = mayJoin ? (readRecords(follower, tail) ?? []) : [];
    records.push(...more);
    if (more.length > 0) void take(more);
  }
  if (failures.length > 0) throw failures[0];
}

async function rotate<Record>(follower: Follower<Record>): Promise<void> {
  const { parts, settings, tails } = follower;
  const [only, ...others] = tails;
  const { rotation } = settings;
  if (rotation === undefined || only === undefined || others.length > 0) return;
  if (only.replacedAtMs !== undefined || only.offset < rotation.bytes) return;
  try {
    parts.files.rename(only.path, rotation.path);
    follower.refusals.delete("rotate");
  } catch (error) {
    if (!follower.refusals.has("rotate")) parts.log.warn("sources.rotation_failed", { path: only.path, error });
    follower.refusals.add("rotate");
    return;
  }
  only.path = rotation.path;
  only.replacedAtMs = parts.clock.monotonicMs();
  await settings.note(positionOf(settings, only));
}

function retire<Record>({ parts, settings, tails }: Follower<Record>): void {
  const sinceMs = parts.clock.monotonicMs() - REPLACED_GRACE_MS;
  for (const tail of tails.filter(({ replacedAtMs }) => replacedAtMs !== undefined && replacedAtMs <= sinceMs)) {
    tail.file.close();
    tails.splice(tails.indexOf(tail), 1);
    if (settings.rotation?.path === tail.path) parts.files.remove(tail.path);
  }
}

function positionOf({ source }: { readonly source: string }, tail: Tail<unknown>): SourcePosition {
  const isReplaced = tail.replacedAtMs !== undefined;
  return { source: positionName(source, isReplaced), file: tail.identity, value: String(tail.settled) };
}

function positionName(source: string, isReplaced: boolean): string {
  return isReplaced ? `${source}.old` : source;
}
