import { connect } from "node:net";
import type { Address } from "../resp.ts";

/** True when somebody takes connections there. */
export async function listens({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
