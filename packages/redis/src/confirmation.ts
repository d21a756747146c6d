/**
 * Waiting until a change is safer than the server makes it by itself. `WAIT` and `WAITAOF` answer for all that the same connection
 * wrote before, and answer also when their time is over: the numbers must be compared.
 */

/** A command that waits. Its last argument, the patience in ms, is added when it is sent. */
export interface Confirmation {
  readonly name: "WAIT" | "WAITAOF";
  readonly args: readonly string[];
  /** What the reply lacks; nothing when it is enough. */
  readonly missing: (reply: unknown) => string | undefined;
}

/** So many replicas have it in memory. */
export function byReplicas(replicas: number): Confirmation {
  return {
    name: "WAIT",
    args: [String(replicas)],
    missing: (reply) => tooFew(Number(reply), replicas, "replicas have it"),
  };
}

/** The server, and so many replicas, have it on disk. */
export function onDisk(replicas: number): Confirmation {
  return {
    name: "WAITAOF",
    args: ["1", String(replicas)],
    missing: (reply) => {
      const [local, others] = Array.isArray(reply) ? reply.map(Number) : [];
      if (local !== 1) return "the server does not have it on disk (is appendonly on?)";
      return tooFew(others ?? 0, replicas, "replicas have it on disk (is appendonly on there?)");
    },
  };
}

function tooFew(found: number, wanted: number, what: string): string | undefined {
  return found >= wanted ? undefined : `${found} of ${wanted} ${what}`;
}
