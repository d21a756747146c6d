/** Names of servers as addresses. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/**
 * `host:port,…/chroot` with an address in the place of each name, or with several. Names that are not found are left out: the native client would
 * look them up again, and stop the event loop for seconds. Rejects when none is found.
 */
export async function withAddresses(hosts: string): Promise<string> {
  const slash = hosts.indexOf("/");
  const servers = (slash < 0 ? hosts : hosts.slice(0, slash)).split(",");
  const found = await Promise.all(servers.map(addressesOf));
  if (found.flat().length === 0) throw new Error("none of these names is known");
  return found.flat().join(",") + (slash < 0 ? "" : hosts.slice(slash));
}

async function addressesOf(server: string): Promise<string[]> {
  const colon = server.lastIndexOf(":");
  const host = server.slice(0, colon);
  const port = server.slice(colon);
  if (isIP(host.replace(/^\[|\]$/g, "")) !== 0) return [server];
  try {
    const all = await lookup(host, { all: true });
    return all.map(({ address, family }) => (family === 6 ? `[${address}]${port}` : `${address}${port}`));
  } catch {
    return [];
  }
}
