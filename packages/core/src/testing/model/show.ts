/** Values of the seam as short text, and what is different between two of them, for people who read why a run failed. */

/** Turns what is in `names` into what it is called there. */
export type Names = ReadonlyMap<string, string>;

/** A value as text. Objects list their fields by name; bytes are bytes, whatever class holds them. */
export function show(value: unknown, names: Names): string {
  if (typeof value === "string") return names.get(value) ?? JSON.stringify(value);
  if (value instanceof Uint8Array) return `<${Buffer.from(value).toString("hex")}>`;
  if (Array.isArray(value)) return `[${value.map((item) => show(item, names)).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return `{${fieldsOf(value)
    .map(([name, field]) => `${name}: ${show(field, names)}`)
    .join(", ")}}`;
}

/** `show` without the fields that stand at their plainest. */
export function showBriefly(value: unknown, names: Names): string {
  return show(brief(value), names);
}

/** Where two values differ, one line for each place; nothing when they are the same. */
export function differences(model: unknown, store: unknown, names: Names, where = "answer"): string[] {
  const [expected, found] = [show(model, names), show(store, names)];
  if (expected === found) return [];
  if (Array.isArray(model) && Array.isArray(store) && model.length === store.length) {
    return model.flatMap((item, index) => differences(item, store[index], names, `${where}[${index}]`));
  }
  const [ours, theirs] = [namedFields(model), namedFields(store)];
  if (ours === undefined || theirs === undefined) return [`${where}: the model says ${expected}, the store ${found}`];
  const all = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  return [...all].flatMap((name) => differences(ours[name], theirs[name], names, `${where}.${name}`));
}

function fieldsOf(value: object): [string, unknown][] {
  return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function namedFields(value: unknown): Record<string, unknown> | undefined {
  const plain = typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);
  return plain && value !== null ? (value as Record<string, unknown>) : undefined;
}

const PLAIN: ReadonlySet<unknown> = new Set([null, false, "", 0]);

function brief(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(brief);
  const fields = namedFields(value);
  if (fields === undefined) return value;
  const telling = Object.entries(fields).filter(([, field]) => !PLAIN.has(field));
  return Object.fromEntries(telling.map(([name, field]) => [name, brief(field)]));
}
