/** `fleetban certificates`: how operators reach the coordinator over the network. */
import { join } from "node:path";
import { createCertificateRequest } from "@fleetban/kit/certificate-request";
import { humanMoment, renderTable } from "@fleetban/kit/cli-output";
import type { Command } from "commander";
import { durationSeconds } from "../arguments.ts";
import type { Cli } from "../cli.ts";
import { CREDENTIAL_FILES } from "../drivers/admin-channel.ts";
import { example, type Run } from "../run.ts";
import { shellWord } from "../shell-word.ts";

const VALID_SECONDS = 90 * 86_400;

export function addCertificates(program: Command, run: Run): void {
  const certificates = program
    .command("certificates")
    .alias("certificate")
    .description("how operators reach the coordinator over the network");

  certificates
    .command("create")
    .description("make a key here and a certificate for it, in a folder for --credentials")
    .argument("<name>", "the operator's name, as it will stand in the audit log")
    .option("--out <folder>", "where (default: ./NAME)")
    .option("--valid <duration>", "how long it is good (default: 90d)", durationSeconds)
    .action(run((cli, name: string, options: { out?: string; valid?: number }) => create(cli, name, options)))
    .addHelpText("after", example("certificates create anna", "--credentials ./anna status"));

  certificates
    .command("list")
    .description("those that were made")
    .action(
      run(async (cli) => {
        const answer = await cli.calls.call((admin) => admin.listAdminCertificates, {});
        cli.show(answer.certificates, () =>
          renderTable(
            [
              { title: "operator" },
              { title: "state" },
              { title: "made" },
              { title: "ends" },
              { title: "by" },
              { title: "serial" },
            ],
            answer.certificates.map((one) => [
              one.name,
              one.state,
              humanMoment(one.issuedAtMs, cli.nowMs),
              humanMoment(one.endsAtMs, cli.nowMs),
              one.author,
              one.serial,
            ]),
            "no certificates; make one: fleetban certificates create NAME",
          ),
        );
      }),
    );

  certificates
    .command("revoke")
    .description("make one useless at once")
    .argument("<certificate>", "its serial, or the operator's name")
    .option("--reason <text>", "why, for the audit log", "")
    .action(
      run(async (cli, certificate: string, { reason }: { reason: string }) => {
        const answer = await cli.calls.call((admin) => admin.revokeAdminCertificate, { certificate, reason });
        cli.show(answer, () => `certificate of ${answer.certificate?.name ?? certificate} is revoked`);
      }),
    )
    .addHelpText("after", example("certificates revoke anna"));
}

async function create(cli: Cli, name: string, options: { out?: string; valid?: number }): Promise<void> {
  const folder = options.out ?? name.replaceAll(/[^A-Za-z0-9._-]/g, "-");
  const { keyPem, csr } = await createCertificateRequest();
  const { files } = cli.parts;
  await files.writeNew(join(folder, CREDENTIAL_FILES.key), keyPem, 0o600); // first: what can't be kept is not certified
  const request = { csr, name, validSeconds: options.valid ?? VALID_SECONDS };
  const answer = await cli.calls.call((admin) => admin.createAdminCertificate, request);
  await files.writeNew(join(folder, CREDENTIAL_FILES.certificate), answer.certificate, 0o644);
  await files.writeNew(join(folder, CREDENTIAL_FILES.ca), answer.ca, 0o644);
  await files.writeNew(join(folder, CREDENTIAL_FILES.address), `${answer.addresses[0] ?? ""}\n`, 0o644);
  const { certificate: _certificate, ca: _ca, ...rest } = answer;
  cli.show(
    { folder, ...rest },
    () => `${folder}: a key and a certificate that ends ${humanMoment(answer.endsAtMs, cli.nowMs)}`,
  );
  cli.note(`use it from anywhere: fleetban --credentials ${shellWord(folder)} status`);
}
