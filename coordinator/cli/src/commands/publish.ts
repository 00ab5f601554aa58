/** `fleetban publish`: tokens by which firewalls without an agent fetch lists. */
import { humanCount, humanMoment, renderTable } from "@fleetban/kit/cli-output";
import type { Command } from "commander";
import { durationSeconds, rankNumber } from "../arguments.ts";
import { example, type Run } from "../run.ts";
import { shellWord } from "../shell-word.ts";

interface CreateOptions {
  readonly lists: readonly string[];
  readonly maxRank?: number;
  readonly ownUse: boolean;
  readonly from: readonly string[];
  readonly valid?: number;
  readonly reason: string;
}

export function addPublish(program: Command, run: Run): void {
  const publish = program
    .command("publish")
    .description("lists for firewalls that run no agent, and CrowdSec's bouncers");
  const tokens = publish.command("tokens").alias("token").description("what lets a firewall fetch lists");

  tokens
    .command("create")
    .description("make a token; it is shown once. Take one for each firewall")
    .argument("<name>", "of the firewall that uses it")
    .option("--lists <names>", "comma between; default: fleet,feeds", wordsOf, [])
    .option("--max-rank <rank>", "nothing above it; 2 = what the fleet and operators banned", rankNumber)
    .option("--own-use", "for a machine of your own: also what a feed's terms forbid to publish", false)
    .option(
      "--from <ranges>",
      "addresses and networks it may be used from, comma between; default: anywhere",
      wordsOf,
      [],
    )
    .option("--valid <duration>", "how long it is good (default: until it is revoked)", durationSeconds)
    .option("--reason <text>", "why, for the audit log", "")
    .action(
      run(async (cli, name: string, { lists, maxRank, ownUse, from, valid, reason }: CreateOptions) => {
        const answer = await cli.calls.call((admin) => admin.createPublishToken, {
          ...{ name, lists: [...lists], forOwnUse: ownUse, ranges: [...from], validSeconds: valid ?? 0, reason },
          maxRank,
        });
        cli.show(answer, () => answer.token);
        const [url] = answer.urls;
        if (url === undefined) return cli.note("nothing is published yet: set publish.port in coordinator.yaml");
        cli.note(`a list:    curl -H 'Authorization: Bearer ${shellWord(answer.token)}' ${url}/v1/lists/all.txt`);
        cli.note(`a bouncer: api_url: ${url}/  api_key: ${answer.token}`);
        return cli.note(
          "with publish.tls own: --cacert, ca_cert_path = a copy of ca/ca.pem in the coordinator's data_dir",
        );
      }),
    )
    .addHelpText(
      "after",
      example(
        "publish tokens create opnsense --own-use",
        "publish tokens create partner --lists fleet --from 192.0.2.7",
      ),
    );

  tokens
    .command("list")
    .description("the newest tokens; those that are over included")
    .action(
      run(async (cli) => {
        const answer = await cli.calls.call((admin) => admin.listPublishTokens, {});
        const columns = [
          { title: "number", align: "right" },
          { title: "name" },
          { title: "state" },
          { title: "lists" },
          { title: "terms" },
          { title: "ends" },
          { title: "requests", align: "right" },
          { title: "used" },
          { title: "from" },
          { title: "program" },
        ] as const;
        cli.show(answer, () =>
          renderTable(
            columns,
            answer.tokens.map((one) => [
              one.tokenNo,
              one.name,
              one.state,
              `${one.lists.join(",")}${one.maxRank === 255 ? "" : ` up to rank ${one.maxRank}`}`,
              one.forOwnUse ? "own use" : "public",
              one.endsAtMs === 0 ? "never" : humanMoment(one.endsAtMs, cli.nowMs),
              humanCount(one.requests),
              one.usedAtMs === 0 ? "never" : humanMoment(one.usedAtMs, cli.nowMs),
              one.usedFrom || "(none)",
              one.program || "(none)",
            ]),
            "no tokens; make one: fleetban publish tokens create NAME",
          ),
        );
        if (answer.urls.length === 0) cli.note("nothing is published: set publish.port in coordinator.yaml");
      }),
    );

  tokens
    .command("revoke")
    .description("make a token useless, within seconds")
    .argument("<token>", "its name or number, as `publish tokens list` shows it")
    .option("--reason <text>", "why, for the audit log", "")
    .action(
      run(async (cli, token: string, { reason }: { reason: string }) => {
        const answer = await cli.calls.call((admin) => admin.revokePublishToken, { token, reason });
        cli.show(answer, () => `token ${answer.row?.name ?? token} is revoked`);
      }),
    )
    .addHelpText("after", example("publish tokens revoke opnsense"));
}

function wordsOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
