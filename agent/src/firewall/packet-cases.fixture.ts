/** What rules do to real packets, behind conntrack: dropped, let in, cut, or left alone. The same for every backend. */
import assert from "node:assert/strict";
import { eventually } from "../../../test/support/fleet/eventually.ts";
import type { Host } from "../../../test/support/fleet/host.ts";
import { arrives, isDropped } from "../../../test/support/fleet/packets.ts";
import type { Backend, DenyRule } from "./backend.ts";
import { add, remove, ruleFixture } from "./conformance.fixture.ts";
import {
  carries,
  collect,
  INNER,
  openConnection,
  type PacketStage,
  PEER,
  SERVER,
  sh,
  timesRepeated,
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
    name: "a cut connection stays cut when conntrack has forgotten it",
    async run(backend, stage) {
      for (const address of [SERVER.v4, SERVER.v6]) await staysCut(backend, stage, stage.server, address);
    },
  },
  {
    name: "a cut connection to an inner host stays cut when conntrack has forgotten it",
    async run(backend, stage) {
      const through = [`${INNER}/32 via ${SERVER.v4}`, `${PEER.v4}/32 via ${SERVER.v4}`] as const;
      sh("for each in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $each; done");
      sh(`iptables-nft -t nat -I POSTROUTING -s ${PEER.v4} -d ${INNER} -j ACCEPT`); // no MASQUERADE: routed both ways
      await stage.peer.run("ip", ["route", "add", ...through[0].split(" ")]);
      await stage.inner.run("ip", ["route", "add", ...through[1].split(" ")]);
      try {
        await staysCut(backend, stage, stage.inner, INNER);
      } finally {
        await stage.peer.run("ip", ["route", "del", ...through[0].split(" ")]);
        await stage.inner.run("ip", ["route", "del", ...through[1].split(" ")]);
        sh(`iptables-nft -t nat -D POSTROUTING -s ${PEER.v4} -d ${INNER} -j ACCEPT`);
      }
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

/** Else the host's own next segment makes it the one who opened the connection, and the peer the one who answers. */
async function staysCut(backend: Backend, stage: PacketStage, host: Host, address: string): Promise<void> {
  const { near, far, close } = await openConnection(stage.peer, host, address);
  try {
    assert.equal(await carries(near, far), true);
    await list(backend, stage, address.includes(":") ? PEER.v6 : PEER.v4);
    const [atHost, atPeer] = [collect(far), collect(near)];
    sh("conntrack -F"); // as a reset by the peer does, which the host's socket never sees
    far.write("the host speaks");
    near.write("nobody reads this");
    const repeats = () => Promise.all([timesRepeated(host, far), timesRepeated(stage.peer, near)]);
    await eventually(
      "both ends have repeated themselves, or something came through",
      async () => atHost() !== "" || atPeer() !== "" || (await repeats()).every((times) => times >= 2),
    );
    assert.deepEqual([atHost(), atPeer()], ["", ""]);
  } finally {
    close();
  }
}

function reaching(port: number): DenyRule {
  return { ...ruleFixture, reach: { kind: "ports", protocol: "udp", ranges: [{ first: port, last: port }] } };
}
