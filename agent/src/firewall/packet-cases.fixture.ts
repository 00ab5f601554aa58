/** What rules do to real packets, behind conntrack: dropped, let in, cut, or left alone. The same for every backend. */
import assert from "node:assert/strict";
import { arrives, isDropped } from "../../../test/support/fleet/packets.ts";
import type { Backend, DenyRule } from "./backend.ts";
import { add, remove, ruleFixture } from "./conformance.fixture.ts";
import {
  carries,
  collect,
  openConnection,
  type PacketStage,
  PEER,
  SERVER,
  sh,
  WITNESS,
} from "./packet-stage.fixture.ts";

export interface PacketCase {
  readonly name: string;
  /** Begins with the sets of `ruleFixture`, empty, and its rule. */
  run(backend: Backend, stage: PacketStage): Promise<void>;
}

export const PACKET_CASES: readonly PacketCase[] = [
  {
    name: "a listed source's packets are dropped, IPv4 and IPv6, and let in again when it is removed",
    async run(backend, stage) {
      await arrives(stage.receiver, PEER.v4);
      await arrives(stage.receiver, PEER.v6);
      await list(backend, stage, PEER.v4);
      await list(backend, stage, PEER.v6);
      assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4));
      assert.ok(await isDropped(stage.receiver, PEER.v6, WITNESS.v6));
      await backend.apply([remove(ruleFixture.deny[4], PEER.v4), remove(ruleFixture.deny[6], PEER.v6)]);
      await arrives(stage.receiver, PEER.v4);
      await arrives(stage.receiver, PEER.v6);
    },
  },
  {
    name: "a hole in a listed network lets one address in and nobody else",
    async run(backend, stage) {
      await backend.apply([add(ruleFixture.except[0]![4], WITNESS.v4)]);
      await list(backend, stage, "45.33.9.0/24");
      assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4));
    },
  },
  {
    name: "a listed source reaches no published port behind the server either",
    async run(backend, stage) {
      await arrives(stage.innerReceiver, PEER.v4);
      await list(backend, stage, PEER.v4);
      assert.ok(await isDropped(stage.innerReceiver, PEER.v4, WITNESS.v4));
    },
  },
  {
    name: "a listed source's packets are dropped where connections are not tracked",
    async run(backend, stage) {
      sh(`iptables-nft -t raw -A PREROUTING -d ${SERVER.v4} -p udp -j CT --notrack`);
      try {
        await arrives(stage.receiver, PEER.v4);
        await list(backend, stage, PEER.v4);
        assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4));
      } finally {
        sh("iptables-nft -t raw -F");
      }
    },
  },
  {
    name: "each packet of a listed source is counted on its entry",
    async run(backend, stage) {
      await list(backend, stage, PEER.v4);
      const read = async () => (await Array.fromAsync(backend.readSet(ruleFixture.deny[4]))).flat()[0];
      const before = await read();
      assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4));
      await list(backend, stage, PEER.v4); // a renewal
      const after = await read();
      assert.ok(after!.packets > before!.packets && after!.bytes > before!.bytes, JSON.stringify([before, after]));
    },
  },
  {
    name: "replacing the rule never lets a packet in",
    async run(backend, stage) {
      await list(backend, stage, PEER.v4);
      assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4, 1));
      const seen = stage.receiver.count(PEER.v4);
      for (const rule of [[ruleFixture, reaching(1)], [ruleFixture], [reaching(2), ruleFixture], [ruleFixture]]) {
        await backend.ensureRules(rule);
      }
      assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4, 1));
      assert.equal(stage.receiver.count(PEER.v4), seen);
    },
  },
  {
    name: "a connection that the server opens to a listed address works",
    async run(backend, stage) {
      for (const address of [PEER.v4, PEER.v6]) {
        await list(backend, stage, address);
        sh("ip neigh flush all");
        const { near, far, close } = await openConnection(stage.server, stage.peer, address);
        assert.equal(await carries(near, far), true);
        assert.equal(await carries(far, near), true);
        close();
      }
    },
  },
  {
    name: "an established connection of a newly listed source is cut",
    async run(backend, stage) {
      const cut = await openConnection(stage.peer, stage.server, SERVER.v4);
      const stays = await openConnection(stage.witness, stage.server, SERVER.v4);
      assert.equal(await carries(cut.near, cut.far), true);
      await list(backend, stage, PEER.v4);
      const received = collect(cut.far);
      cut.near.write("nobody reads this");
      for (let times = 0; times < 20; times += 1) assert.equal(await carries(stays.near, stays.far), true);
      assert.equal(received(), "");
      cut.close();
      stays.close();
    },
  },
  {
    name: "the server reaches its own listed addresses over loopback",
    async run(backend, stage) {
      await list(backend, stage, SERVER.v4);
      const { near, far, close } = await openConnection(stage.server, stage.server, SERVER.v4);
      assert.equal(await carries(near, far), true);
      close();
    },
  },
];

/** Where the kernel can look an entry up without counting, which nf_tables can't. */
export const EXACT_COUNT: PacketCase = {
  name: "a packet that is let in past the entry is not counted on it",
  async run(backend, stage) {
    await list(backend, stage, PEER.v4);
    assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4));
    await backend.apply([add(ruleFixture.except[0]![4], PEER.v4)]);
    const read = async () => (await Array.fromAsync(backend.readSet(ruleFixture.deny[4]))).flat()[0];
    const before = await read();
    await arrives(stage.receiver, PEER.v4);
    assert.deepEqual((await read())?.packets, before?.packets);
  },
};

async function list(backend: Backend, stage: PacketStage, prefix: string): Promise<void> {
  const set = ruleFixture.deny[prefix.includes(":") ? 6 : 4];
  assert.deepEqual(await backend.apply([add(set, prefix)]), []);
  await stage.settle();
}

function reaching(port: number): DenyRule {
  return { ...ruleFixture, reach: { kind: "ports", protocol: "udp", ranges: [{ first: port, last: port }] } };
}
