/**
 * `fleetban-agent import FILE…` and `import --fail2ban`: bans from before the agent came.
 *
 * Everything is read and asked about before anything is told, and a line that can't be imported stops all of them, so
 * that nobody wonders what half of a file has done. Imported again, nothing counts twice.
 */
import { readFile, stat } from "node:fs/promises";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { fileProblem } from "@fleetban/kit/file-problem";
import { tryParsePrefix } from "@fleetban/proto/model/prefix";
import { type AgentSocket, openAgentSocket } from "../../drivers/ask-agent.ts";
import { readFail2banDatabase } from "../../drivers/fail2ban-database.ts";
import { jailName } from "../../sources/seen.ts";
import type { BanAnswer, CheckAnswer } from "../../sources/socket/answer.ts";
import { banSeconds } from "../ban-seconds.ts";
import { OwnBanError } from "../own-ban-error.ts";
import type { Candidate, Problem } from "./candidate.ts";
import { withTimes } from "./import-journal.ts";
import { type ReadBans, readBanFile } from "./read-ban-file.ts";

export interface ImportOptions {
  readonly socket: string;
  readonly dataDir: string;
  readonly files: readonly string[];
  /** fail2ban's database; undefined = not read. */
  readonly database: string | undefined;
  readonly jail: string;
  readonly for: string;
  /** Import the rest when some lines can't be. */
  readonly skipBad: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  /** For people, while it takes long. */
  readonly onProgress: (text: string) => void;
}

export interface ImportOutput {
  readonly lines: readonly string[];
  /** For standard error: what was left out. */
  readonly problems: readonly string[];
}

const FILE_MAX_BYTES = 64 << 20;
const SHOWN_PROBLEMS = 50;
const PIECE = 200;
/** The coordinator takes 5,000 sightings of an agent at once and 600 a minute, unless its policy says otherwise. */
const AT_ONCE = 4_000;
const PER_MINUTE = 500;

export async function importBans(options: ImportOptions): Promise<ImportOutput> {
  const { candidates, problems } = await readAll(options);
  await using agent = await openAgentSocket(options.socket);
  const refused = await askAbout(agent, candidates);
  const bad = [...problems, ...refused.values()];
  if (bad.length > 0 && !options.skipBad) throw notImported(bad);
  const good = candidates.filter((candidate) => !refused.has(candidate));
  const told = options.dryRun ? 0 : await tell(agent, options, good);
  const counts = { bans: good.length, told, known: options.dryRun ? 0 : good.length - told, left_out: bad.length };
  const shown = bad.map(problemText);
  if (options.json) return { lines: [JSON.stringify({ ...counts, dry_run: options.dryRun })], problems: shown };
  const word = options.dryRun ? `${good.length} bans can be imported` : `${told} bans imported`;
  const known = options.dryRun ? "" : `, ${counts.known} known already`;
  return { lines: [`${word}${known}${bad.length === 0 ? "" : `, ${bad.length} left out`}`], problems: shown };
}

async function readAll(options: ImportOptions): Promise<ReadBans> {
  const ban = { jail: options.jail, banSeconds: banSeconds(options.for) };
  const read: ReadBans[] = [];
  for (const file of options.files) read.push(readBanFile(await textOf(file), file, ban));
  if (options.database !== undefined) read.push(await readDatabase(options.database));
  return {
    candidates: read.flatMap(({ candidates }) => candidates),
    problems: read.flatMap(({ problems }) => problems),
  };
}

async function textOf(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > FILE_MAX_BYTES) throw new Error(`${size} bytes; at most ${FILE_MAX_BYTES} are read`);
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new OwnBanError("not-imported", `${file}: ${fileProblem(cause)}`, {
      cause,
      hint: "name files that this user may read, with an address a line",
    });
  }
}

async function readDatabase(path: string): Promise<ReadBans> {
  const bans = await readFail2banDatabase(path, systemClock.nowMs());
  const problems: Problem[] = [];
  const candidates = bans.flatMap(({ id, jail, ...ban }): Candidate[] => {
    const place = `${path} [${jail}]`;
    const address = tryParsePrefix(id);
    if (address !== undefined) return [{ ...ban, place, address, jail: jailName(jail) }];
    problems.push({ place, reason: `${JSON.stringify(id)}: is no address` });
    return [];
  });
  return { candidates, problems };
}

/** What is in a special-purpose range, this machine's own, or exempt. */
async function askAbout(agent: AgentSocket, candidates: readonly Candidate[]): Promise<Map<Candidate, Problem>> {
  const refused = new Map<Candidate, Problem>();
  for (let at = 0; at < candidates.length; at += PIECE) {
    const piece = candidates.slice(at, at + PIECE);
    const answers = await agent.ask(piece.map(({ address }) => ({ ip: address, kind: "check" })));
    for (const [index, candidate] of piece.entries()) {
      const answer = answers[index];
      const reason = answer?.ok === true ? (answer as CheckAnswer).refused : answer?.error;
      if (reason !== undefined) {
        refused.set(candidate, { place: candidate.place, reason: `${candidate.address}: ${reason}` });
      }
    }
  }
  return refused;
}

/** Returns how many were news. */
async function tell(agent: AgentSocket, options: ImportOptions, good: readonly Candidate[]): Promise<number> {
  const timed = await withTimes(options.dataDir, good, systemClock.nowMs());
  let told = 0;
  for (let at = 0; at < timed.length; at += PIECE) {
    const piece = timed.slice(at, at + PIECE);
    const answers = await agent.ask(piece.map(requestOf));
    const failure = answers.find((answer) => !answer.ok);
    if (failure?.ok === false) {
      throw new OwnBanError("not-imported", `${failure.error}; ${told} were imported before`, {
        hint: "run the same command again: what was imported does not count twice",
      });
    }
    const news = answers.filter((answer) => (answer as BanAnswer).told).length;
    told += news;
    if (told < AT_ONCE || news === 0 || at + PIECE >= timed.length) continue;
    options.onProgress(`${at + piece.length} of ${timed.length}; no faster, or the coordinator would not count them`);
    await systemClock.sleep((news / PER_MINUTE) * 60_000);
  }
  return told;
}

function requestOf(ban: Candidate & { readonly bannedAtMs: number }) {
  return {
    ...{ ip: ban.address, kind: "import", jail: ban.jail, at: ban.bannedAtMs / 1_000, ban_seconds: ban.banSeconds },
    ...{ failures: ban.failures, ban_count: ban.banCount, strict: true },
  };
}

function notImported(bad: readonly Problem[]): OwnBanError {
  const more = bad.length > SHOWN_PROBLEMS ? [`and ${bad.length - SHOWN_PROBLEMS} more`] : [];
  const lines = bad.slice(0, SHOWN_PROBLEMS).map(problemText);
  const head = `${bad.length} ${bad.length === 1 ? "line" : "lines"} can't be imported; nothing was`;
  return new OwnBanError("not-imported", [...lines, ...more, head].join("\n"), {
    hint: "mend them, or import the rest with --skip-bad",
  });
}

function problemText({ place, reason }: Problem): string {
  return `${place}: ${reason}`;
}
