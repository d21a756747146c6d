const announced = new Set<string>();

/** Print which server the tests run on: each once in a process. */
export function announce(server: string): void {
  if (announced.has(server)) return;
  announced.add(server);
  console.log(`Test server: ${server}`);
}
