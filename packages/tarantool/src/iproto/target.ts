/** Where servers are. */
import { createConnection, type Socket } from "node:net";

/** The address of a server: a port, or a Unix socket. */
export type Target = { readonly host: string; readonly port: number } | { readonly path: string };

/** What makes sockets to it. */
export function opener(target: Target): () => Socket {
  return () => createConnection({ ...target });
}
