/** `fleetban version`: this program's, and the coordinator's where it answers. */
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import type { Run } from "../run.ts";

export function addVersion(program: Command, run: Run): void {
  program
    .command("version")
    .description("this program's version and the coordinator's")
    .action(
      run(async (cli) => {
        const { version } = cli.parts;
        const coordinator = await coordinatorVersion();
        cli.show({ version, coordinator: coordinator ?? null }, () => {
          return `fleetban ${version}\ncoordinator ${coordinator ?? "(cannot be reached)"}`;
        });

        async function coordinatorVersion(): Promise<string | undefined> {
          try {
            return (await cli.calls.call((admin) => admin.getStatus, {}, { withinMs: 2_000 })).programVersion;
          } catch (error) {
            if (error instanceof CliError) return undefined; // which is an answer, too
            throw error;
          }
        }
      }),
    );
}
