/** The coordinator's Admin service, asked directly: thousands of questions without a program each. */
import type { Calls } from "@fleetban/cli/cli";
import { openAdminChannel } from "@fleetban/cli/drivers/admin-channel";
import type { ExplainResponse, GetStatusResponse, Listing } from "@fleetban/proto/wire/admin";
import type { FleetCoordinator } from "./coordinator.ts";

export interface Admin {
  explain(prefix: string): Promise<ExplainResponse>;
  status(): Promise<GetStatusResponse>;
  listings(list: string): Promise<readonly Listing[]>;
}

/** A channel a question: the coordinator may have been started anew since the last one. */
export function createAdminCalls({ socket }: Pick<FleetCoordinator, "socket">): Admin {
  const ask = async <Answer>(question: (calls: Calls) => Promise<Answer>): Promise<Answer> => {
    const channel = openAdminChannel({ socket, address: undefined, credentials: undefined }, "test");
    try {
      return await question(channel);
    } finally {
      channel.close();
    }
  };
  return {
    explain: (prefix) => ask((calls) => calls.call((admin) => admin.explain, { prefix })),
    status: () => ask((calls) => calls.call((admin) => admin.getStatus, {})),
    listings: (list) =>
      ask(async (calls) => {
        const pages = calls.pages((admin) => admin.listListings, { list, prefix: "", limit: 0 });
        return (await Array.fromAsync(pages)).flatMap(({ listings }) => listings);
      }),
  };
}
