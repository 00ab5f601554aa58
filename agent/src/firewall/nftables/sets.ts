/**
 * The firewall's sets as bundles of nftables sets, over netlink: no process, and an answer for each change.
 *
 * What bundles there are is remembered between two looks, for the ops that come by the thousand; whatever else changes
 * something looks first.
 */
import { bytesOf, type Family, familyOf, isSingle, lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { PrefixColumns } from "@fleetban/proto/model/sorted-columns";
import type { Backend, KernelEntry, Op, Refusal, SetHeader, SetName, SetSpec } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import { nextTurn } from "../ipset/next-turn.ts";
import { createRequests, destroyRequests, lengthRequests, swapRequests } from "./bundle-requests.ts";
import { type Conversation, type Request, WHOLE } from "./conversation.ts";
import { elementsRequest } from "./element.ts";
import { applyElements, type ElementOp, OPS_A_TURN } from "./element-batch.ts";
import { readEntries } from "./entry-reading.ts";
import type { KernelFeatures } from "./kernel-features.ts";
import { kernelSetName } from "./names.ts";
import { ERRNO, MESSAGE } from "./protocol.ts";
import type { Readings, ReadPart } from "./set-reading.ts";
import { ADDRESS_BITS } from "./statement.ts";
import { missingSet, tableError } from "./table-error.ts";
import { type Bundle, type FamilyView, readTables, type TableView } from "./table-view.ts";

export type NftSets = Pick<
  Backend,
  "createSet" | "swapSets" | "destroySet" | "apply" | "headers" | "readSet" | "readEntries" | "testEntry"
>;

export interface NftSetsParts {
  readonly kernel: Conversation;
  readonly features: KernelFeatures;
  readonly readings: Readings;
  /** The tables were changed by us. */
  readonly onChanged: () => void;
}

/** Where the kernel doesn't tell: 10 ms, each second. */
const COUNTED_ENTRIES = 10_000;

export function createSets({ kernel, features, readings, onChanged }: NftSetsParts): NftSets {
  let known: TableView["bundles"] = new Map();

  function look(): TableView {
    const view = readTables(kernel);
    known = view.bundles;
    return view;
  }

  function must(act: string, requests: readonly Request[]): void {
    const errors = kernel.transact(requests);
    onChanged();
    const errno = errors.get(WHOLE) ?? [...errors.values()][0];
    if (errno !== undefined) throw tableError(act, errno);
    look();
  }

  function bundleNamed(name: SetName, act: string): Bundle {
    const bundle = known.get(name) ?? look().bundles.get(name);
    if (bundle === undefined) throw missingSet(act, name);
    return bundle;
  }

  async function createSet(spec: SetSpec): Promise<"created" | "exists"> {
    const view = look();
    const present = view.bundles.get(spec.name);
    if (present !== undefined) {
      checkKind(present, view, spec);
      return "exists";
    }
    must(`create set ${spec.name}`, createRequests(spec, view, features.counts));
    return "created";
  }

  async function swapSets(a: SetName, b: SetName): Promise<void> {
    const view = look();
    const [one, other] = [a, b].map((name) => {
      const bundle = view.bundles.get(name);
      if (bundle === undefined) throw missingSet("swap set", name);
      return bundle;
    }) as [Bundle, Bundle];
    if (one.family !== other.family) {
      throw new BackendError(
        "set-mismatch",
        `swap sets ${a} and ${b}: are for IPv${one.family} and IPv${other.family}`,
      );
    }
    must(`swap sets ${a} and ${b}`, swapRequests(one, other, view));
  }

  async function destroySet(name: SetName): Promise<void> {
    const first = look().bundles.get(name);
    if (first === undefined) return;
    await readings.release(partsOf(first).map(({ set }) => set));
    const view = look();
    const bundle = view.bundles.get(name);
    if (bundle === undefined) return;
    if (bundle.references > 0) {
      throw new BackendError("set-in-use", `destroy set ${name}: a rule names the set`, remedyFor("set-in-use"));
    }
    must(`destroy set ${name}`, destroyRequests(bundle, view.families[bundle.family]));
  }

  /** Makes room for lengths that a bundle has not had yet. */
  function openLengths(ops: readonly Op[]): void {
    for (const { kind, set, prefix } of ops) {
      if (kind !== "add" || isSingle(prefix)) continue;
      const bundle = known.get(set);
      const length = lengthOf(prefix);
      if (bundle === undefined || !isFor(bundle.family, prefix) || bundle.lengths.includes(length)) continue;
      const view = look();
      const fresh = view.bundles.get(set);
      if (fresh === undefined || fresh.lengths.includes(length)) continue;
      must(`widen set ${set}`, lengthRequests(fresh, length, view, features.counts));
    }
  }

  async function apply(ops: readonly Op[]): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    for (let at = 0; at < ops.length; at += OPS_A_TURN) {
      if (at > 0) await nextTurn();
      refusals.push(...applySlice(ops.slice(at, at + OPS_A_TURN)));
    }
    return refusals;
  }

  function applySlice(ops: readonly Op[]): readonly Refusal[] {
    if (ops.some(({ set }) => !known.has(set))) look();
    openLengths(ops);
    const refusals = new Map<Op, Refusal>();
    const possible: ElementOp[] = [];
    for (const op of ops) {
      const bundle = known.get(op.set);
      const refused = refusedBefore(op, bundle);
      if (refused !== undefined) refusals.set(op, refused);
      else if (bundle !== undefined) possible.push(...elementOpOf(op, bundle));
    }
    for (const refusal of applyElements(kernel, features, possible)) refusals.set(refusal.op, refusal);
    onChanged();
    return ops.flatMap((op) => refusals.get(op) ?? []); // in their order
  }

  /** Undefined = more than `COUNTED_ENTRIES`: listing all of them takes time with the square of how many they are. */
  async function entriesOf(bundle: Bundle, sets: FamilyView["sets"]): Promise<number | undefined> {
    let count = 0;
    for (const part of partsOf(bundle)) {
      const told = features.sizes ? sets.get(part.set)?.entries : undefined;
      count += told ?? 0;
      if (told !== undefined) continue;
      for await (const piece of readings.read([part])) {
        count += piece.length;
        if (count > COUNTED_ENTRIES) return undefined;
      }
    }
    return count;
  }

  async function headers(): Promise<readonly SetHeader[]> {
    const { bundles, families } = look();
    const found: SetHeader[] = [];
    for (const bundle of bundles.values()) {
      const { name, family, maxEntries, references } = bundle;
      const entries = await entriesOf(bundle, families[family].sets);
      found.push({ name, family, maxEntries, references, entries });
    }
    return found;
  }

  async function testEntry(set: SetName, prefix: Prefix): Promise<boolean> {
    const bundle = bundleNamed(set, "test an entry of set");
    const lengths = isSingle(prefix) ? [ADDRESS_BITS[bundle.family], ...bundle.lengths] : [lengthOf(prefix)];
    if (!isFor(bundle.family, prefix)) return false;
    return lengths.some((length) => hasElement(bundle, widen(prefix, length), length));
  }

  function hasElement({ name, family, stem }: Bundle, prefix: Prefix, length: number): boolean {
    const target = { family, set: kernelSetName(stem, length, ADDRESS_BITS[family]) };
    const element = { key: bytesOf(prefix), timeoutSeconds: 0 };
    const errno = kernel.ask(elementsRequest(MESSAGE.getElement, 0, target, [element]), () => undefined);
    if (errno !== 0 && errno !== ERRNO.absent) throw tableError(`test an entry of set ${name}`, errno);
    if (errno !== 0 && !look().bundles.has(name)) throw missingSet("test an entry of set", name);
    return errno === 0;
  }

  /** Its bundle may change under the same name meanwhile (`swapSets`): the new one holds what the reading is after. */
  function readKnownEntries(name: SetName, prefixes: PrefixColumns): AsyncIterable<readonly KernelEntry[]> {
    return readEntries(kernel, name, prefixes, (length) => {
      const { family, stem, lengths } = bundleNamed(name, "read entries of set");
      const bits = ADDRESS_BITS[family];
      if (prefixes.family !== family || (length !== bits && !lengths.includes(length))) return undefined;
      return { family, set: kernelSetName(stem, length, bits) };
    });
  }

  return {
    createSet,
    swapSets,
    destroySet,
    apply,
    headers,
    testEntry,
    async *readSet(name) {
      const bundle = look().bundles.get(name);
      if (bundle === undefined) throw missingSet("read set", name);
      yield* readings.read(partsOf(bundle));
    },
    // What is foreign shows in the count alone, so where the kernel does not tell it the whole set is to be read.
    ...(features.sizes && { readEntries: readKnownEntries }),
  };
}

function partsOf({ family, stem, lengths }: Bundle): readonly ReadPart[] {
  const bits = ADDRESS_BITS[family];
  return [bits, ...lengths].map((length) => ({ set: kernelSetName(stem, length, bits), family, length }));
}

function isFor(family: Family, prefix: Prefix): boolean {
  return familyOf(prefix) === family;
}

/** What the kernel would take although it means nothing good. */
function refusedBefore(op: Op, bundle: Bundle | undefined): Refusal | undefined {
  if (bundle === undefined) return { op, code: "set-missing", detail: "no such set" };
  if (!isFor(bundle.family, op.prefix)) {
    return { op, code: "kernel-refused", detail: `not of IPv${bundle.family}, as the set is` };
  }
  if (lengthOf(op.prefix) === 0) return { op, code: "kernel-refused", detail: "it is every address there is" };
  return undefined;
}

/** A network of a length that the bundle has not: there is nothing to remove. */
function elementOpOf(op: Op, { family, stem, lengths }: Bundle): readonly ElementOp[] {
  const bits = ADDRESS_BITS[family];
  const length = lengthOf(op.prefix);
  if (length !== bits && !lengths.includes(length)) return [];
  return [{ op, family, set: kernelSetName(stem, length, bits) }];
}

/** Throws when a set that was there before can't serve. */
function checkKind(bundle: Bundle, view: TableView, { name, family }: SetSpec): void {
  const set = view.families[bundle.family].sets.get(bundle.stem);
  const isRight = bundle.family === family && set?.hasTimeouts === true && set.keyBytes === ADDRESS_BITS[family] / 8;
  if (isRight) return;
  const found = `IPv${bundle.family} ${set?.hasTimeouts === true ? "with" : "without"} timeouts`;
  throw new BackendError("set-mismatch", `set ${name}: is for ${found}, must be for IPv${family} with timeouts`, {
    hint: `remove it (nft delete table ${bundle.family === 4 ? "ip" : "ip6"} fleetban) and start the agent again`,
  });
}
