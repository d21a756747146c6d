/** Start so many servers at once, or none. */
export async function startAll<T extends { close(): Promise<void> }>(
  count: number,
  start: () => Promise<T>,
): Promise<readonly T[]> {
  const results = await Promise.allSettled(Array.from({ length: count }, start));
  const started = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return started;
  await Promise.all(started.map(async (server) => server.close()));
  throw failed.reason;
}
