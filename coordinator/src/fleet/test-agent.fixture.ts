/**
 * An agent for tests of the coordinator: speaks the protocol over a real stream, keeps mirrors and checks every digest.
 * Not the product's agent, so that a mistake both would share is found.
 */
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { type Digest, DigestSum, digestFromBytes, digestToBytes, parseDigestKey } from "@fleetban/proto/model/digest";
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { actOf } from "@fleetban/proto/model/sighting";
import { deltaFromMessage } from "@fleetban/proto/wire/delta";
import {
  type AgentMessage,
  type CoordinatorMessage,
  type FleetClient,
  GoodbyeReason,
  type Hello,
  type SnapshotChunk,
  sightingToWire,
  type Welcome,
} from "@fleetban/proto/wire/fleet";
import { decodeSnapshotBody } from "@fleetban/proto/wire/snapshot";
import { type ClientDuplexStream, type ServiceError, status } from "@grpc/grpc-js";
import { until } from "../../../test/support/until.ts";

interface Mirror {
  epoch: Buffer;
  revision: number;
  blocklist: Blocklist;
}

export class TestAgent {
  readonly mirrors = new Map<ListNo, Mirror>();
  readonly received: string[] = [];
  readonly acked = new Map<string, number>();
  welcome: Welcome | undefined;
  goodbye: string | undefined;
  retryAfterMs = 0;
  /** Entries that its kernel lost behind its back, when it reports. */
  readonly lostEntries = new Set<string>();
  /** `OK` or `CODE: details`. */
  ended: string | undefined;
  /** Does not answer a probe when false. */
  isAlive = true;
  readonly incarnation: Buffer;
  readonly bootId: Buffer;
  readonly #client: FleetClient;
  readonly #chunks: SnapshotChunk[] = [];
  #call: ClientDuplexStream<AgentMessage, CoordinatorMessage> | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(client: FleetClient, seed = 1) {
    this.#client = client;
    this.incarnation = Buffer.alloc(16, seed);
    this.bootId = Buffer.alloc(16, seed);
  }

  /** Opens a stream and waits for Welcome, a Goodbye or the end. */
  async connect(hello: Partial<Hello> = {}): Promise<void> {
    this.open();
    this.send({ kind: { $case: "hello", value: { ...this.hello(), ...hello } } });
    await until(
      "a welcome",
      () => this.welcome !== undefined || this.goodbye !== undefined || this.ended !== undefined,
    );
  }

  open(): ClientDuplexStream<AgentMessage, CoordinatorMessage> {
    this.welcome = undefined;
    this.goodbye = undefined;
    this.ended = undefined;
    const call = this.#client.connect();
    this.#call = call;
    call.on("data", (message: CoordinatorMessage) => {
      this.#work = this.#work.then(() => (this.#call === call ? this.#take(message) : undefined));
    });
    call.on("error", () => undefined); // told by its status
    call.on("status", ({ code, details }: ServiceError) => {
      if (this.#call !== call) return; // of a stream before
      this.ended = code === status.OK ? "OK" : `${status[code]}: ${details}`;
    });
    return call;
  }

  send(message: AgentMessage): void {
    this.#call?.write(message);
  }

  hello(): Hello {
    return {
      protocol: 1,
      features: [1, 2],
      programVersion: "test",
      bootId: this.bootId,
      startId: Buffer.alloc(16, 7),
      sentAtMs: Date.now(),
      capacityEntries: 0,
      backend: "test",
      addresses: [],
      positions: [...this.mirrors].map(([list, mirror]) => ({
        list,
        epoch: mirror.epoch,
        revision: mirror.revision,
        digest: Buffer.from(digestToBytes(mirror.blocklist.digest)),
        partial: undefined,
      })),
      spools: [{ incarnation: this.incarnation, firstSeq: 1, lastSeq: 1 }],
    };
  }

  /** One ban of each address, numbered from `firstSeq` on. */
  sight(
    addresses: readonly string[],
    firstSeq: number,
    { incarnation = this.incarnation, atMs = Date.now() }: { incarnation?: Buffer; atMs?: number } = {},
  ): void {
    const bannedAtMs = atMs;
    const items = addresses.map((text) => {
      const address = parsePrefix(text);
      const act = actOf({ jail: "sshd", address, bannedAtMs });
      return sightingToWire({
        ...{ address, kind: "ban", source: "fail2ban", jail: "sshd", protocol: "tcp", ports: "22", failures: 5 },
        ...{ bannedAtMs, banSeconds: 600, banCount: 1, recordedAtMs: bannedAtMs, act, evidence: new Uint8Array() },
      });
    });
    this.send({ kind: { $case: "sightings", value: { incarnation, firstSeq, sentAtMs: bannedAtMs, items } } });
  }

  listed(list: ListNo): string[] {
    return [...(this.mirrors.get(list)?.blocklist.sorted() ?? [])].map(({ prefix }) => prefix);
  }

  digest(list: ListNo): Digest | undefined {
    return this.mirrors.get(list)?.blocklist.digest;
  }

  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  cancel(): void {
    this.#call?.cancel();
  }

  async #take({ kind }: CoordinatorMessage): Promise<void> {
    switch (kind?.$case) {
      case "welcome":
        this.welcome = kind.value;
        this.received.push("welcome");
        return;
      case "ack":
        this.acked.set(kind.value.incarnation.toString("hex"), kind.value.seq);
        this.received.push(`ack ${kind.value.seq}`);
        return;
      case "delta":
        return this.#takeDelta(deltaFromMessage(kind.value));
      case "snapshotChunk":
        return this.#takeChunk(kind.value);
      case "probe": {
        const { probeNo } = kind.value;
        const hops = { addedUs: 10, testedUs: 20, removedUs: 30 };
        const value = { probeNo, error: "", ...hops, backend: "test", rulePresent: true };
        if (this.isAlive) this.send({ kind: { $case: "probeResult", value } });
        return;
      }
      case "lists":
        this.received.push(`lists ${kind.value.lists.map(({ list }) => list).join(" ")}`);
        return;
      case "listRemoved": {
        const { list, approved } = kind.value;
        this.mirrors.delete(listNo(list));
        this.received.push(`list ${list} removed${approved ? "" : ", not approved"}`);
        return;
      }
      case "goodbye":
        this.retryAfterMs = kind.value.retryAfterMs;
        this.goodbye = Object.entries(GoodbyeReason).find(([, value]) => value === kind.value.reason)![0];
        return;
      default:
        this.received.push(kind?.$case ?? "unknown");
    }
  }

  #takeDelta(delta: ReturnType<typeof deltaFromMessage>): void {
    const mirror = this.mirrors.get(delta.list);
    if (mirror === undefined || mirror.revision !== delta.fromRevision) {
      throw new Error(`delta of list ${delta.list} from ${delta.fromRevision} does not follow ${mirror?.revision}`);
    }
    for (const prefix of delta.remove) mirror.blocklist.remove(prefix);
    for (const listing of delta.put) mirror.blocklist.put(listing);
    if (mirror.blocklist.digest !== delta.digest) throw new Error(`digest of list ${delta.list} differs`);
    mirror.revision = delta.toRevision;
    this.received.push(`delta ${delta.list} to ${delta.toRevision}`);
    this.#report(delta.list);
  }

  async #takeChunk(chunk: SnapshotChunk): Promise<void> {
    const { list, revision, sha256, columnsSha256, listings } = chunk;
    this.#chunks.push(chunk);
    this.send({ kind: { $case: "chunkReceived", value: { list, revision, chunk: chunk.chunk } } });
    if (chunk.chunk + 1 < chunk.chunks) return;
    const body = Buffer.concat(this.#chunks.splice(0).map((one) => one.body));
    const digest = digestFromBytes(chunk.digest);
    const key = parseDigestKey(this.welcome!.digestKey);
    const expected = { list: listNo(list), key, sha256, columnsSha256, digest, listings };
    const blocklist = new Blocklist(listNo(list), key);
    for (const listing of (await decodeSnapshotBody(body, expected)).sorted()) blocklist.put(listing);
    if (blocklist.digest !== digest) throw new Error(`digest of the snapshot of list ${list} differs`);
    this.mirrors.set(listNo(list), { epoch: chunk.epoch, revision, blocklist });
    this.received.push(`snapshot ${list} at ${revision}`);
    this.#report(listNo(list));
  }

  #kernelDigest(list: ListNo, blocklist: Blocklist): Digest {
    const sum = new DigestSum(parseDigestKey(this.welcome!.digestKey), list);
    for (const { prefix } of blocklist.sorted()) if (!this.lostEntries.has(prefix)) sum.addEntry(prefix);
    return sum.digest;
  }

  #report(list: ListNo): void {
    const mirror = this.mirrors.get(list)!;
    const value = {
      ...{ list, epoch: mirror.epoch, revision: mirror.revision, kernelEntries: mirror.blocklist.size },
      ...{ leftOut: 0, kept: 0, refused: 0, line: undefined, checkedAtMs: Date.now(), unsupported: false },
      kernelDigest: Buffer.from(digestToBytes(this.#kernelDigest(list, mirror.blocklist))),
      mirrorDigest: Buffer.from(digestToBytes(mirror.blocklist.digest)),
    };
    this.send({ kind: { $case: "applied", value } });
  }
}
