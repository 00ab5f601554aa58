/** Gives lines to the running agent by its unix socket; an answer a line, in order. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { FleetbanError } from "@fleetban/kit/errors";
import { fileProblem } from "@fleetban/kit/file-problem";
import type { SocketAnswer } from "../sources/socket/answer.ts";

/** Codes: `agent-not-running`, `socket-off`, `socket-denied`, `agent-hung-up`. */
export class AskAgentError extends FleetbanError {}

export interface AgentSocket extends AsyncDisposable {
  ask(requests: readonly object[]): Promise<readonly SocketAnswer[]>;
}

/** The agent syncs its spool before it answers, and may have to ask fail2ban. */
const DEADLINE_MS = 30_000;

export async function openAgentSocket(path: string): Promise<AgentSocket> {
  if (path === "") {
    throw new AskAgentError("socket-off", "socket is empty: the agent listens to nobody", {
      hint: "set socket in agent.yaml, such as /run/fleetban/agent.sock",
    });
  }
  const socket = await connectTo(path);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  socket.on("error", () => socket.destroy()); // the next line that does not come says so

  async function nextAnswer(): Promise<SocketAnswer> {
    const { value, done } = await lines.next();
    if (done === true || socket.destroyed) {
      throw new AskAgentError("agent-hung-up", `the agent at ${path} ended the connection before it answered`, {
        hint: "see `journalctl -u fleetban-agent`, then run the same command again: nothing counts twice",
      });
    }
    return JSON.parse(value as string) as SocketAnswer;
  }

  return {
    async ask(requests) {
      const hangUp = setTimeout(() => socket.destroy(), DEADLINE_MS);
      try {
        socket.write(requests.map((request) => `${JSON.stringify(request)}\n`).join(""));
        const answers: SocketAnswer[] = [];
        while (answers.length < requests.length) answers.push(await nextAnswer());
        return answers;
      } finally {
        clearTimeout(hangUp);
      }
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

async function connectTo(path: string): Promise<Socket> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EACCES") {
      throw new AskAgentError("socket-denied", `${path}: ${fileProblem(cause)}`, { cause, hint: "run this as root" });
    }
    throw new AskAgentError("agent-not-running", `no agent answers at ${path}: ${fileProblem(cause)}`, {
      cause,
      hint: "start it with `systemctl start fleetban-agent`, or name its configuration: --config FILE (of `npm start` ./data/agent.yaml)",
    });
  }
}
